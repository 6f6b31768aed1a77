import { firstOf } from '@halley/shared/text';
import type { ChatEvent, ProgramNotice } from '../wire/shapes';
import type { Fact } from './fact';
import type { Names } from './names';

/** The longest text, in UTF-16 units, that stands in a line; of more the rest is folded away. */
const LINE = 200;

/** A notice of a program in words. What people do not read at a glance, its attributes and a long text, is kept apart. */
export function tellNotice(event: ProgramNotice, names: Names): Pick<Fact, 'text' | 'more'> {
    const who = names.participant(event.from?.no)?.replace(/^You$/, 'you') ?? 'the house';
    const said = event.text ?? '';
    const more = [
        ...(said.length > LINE ? [said] : []),
        ...(event.attributes === undefined ? [] : [JSON.stringify(event.attributes, null, 2)]),
    ].join('\n\n');
    return { text: `A notice from ${who}${said === '' ? '' : `: ${clipped(said)}`}`, ...(more === '' ? {} : { more }) };
}

/** What somebody was told, as the end of a sentence; nothing if there is nothing. */
export function quoted(text: string): string {
    return text === '' ? '' : `: “${text}”`;
}

/** The address at the end of an event's sentence, if the event is there to show it. */
export function shownAddress(event: ChatEvent): Pick<Fact, 'url'> {
    return event.type === 'pushed' ? { url: event.url } : {};
}

/** The beginning of a text. */
function clipped(text: string): string {
    return text.length <= LINE ? text : `${firstOf(text, LINE)}…`;
}
