import { timeOfDay } from '@halley/shared/duration';
import type { ChatEvent, Ended, Left, Routed } from '../wire/shapes';
import type { Names } from './names';
import { quoted, tellNotice } from './notice-rows';

/** Says whether an event is the routing's, whose lines can be folded away. */
export function isRouting(event: ChatEvent): event is Routed {
    return ['queued', 'offered', 'accepted', 'declined', 'missed', 'withdrawn'].includes(event.type);
}

/** An event in words, or null if it is nothing to read. */
export function sentence(event: ChatEvent, names: Names): string | null {
    switch (event.type) {
        case 'joined':
            return `${names.participant(event.from?.no) ?? 'Somebody'} joined`;
        case 'left':
            return left(event, names);
        case 'ended':
            return ended(event, names);
        case 'renamed':
            return `${names.participant(event.from?.no) ?? 'Somebody'} is now called ${event.name}`;
        case 'unshared': {
            const name = names.file(event.file);
            const who = names.participant(event.from?.no) ?? 'Somebody';
            return name === undefined ? `${who} deleted a file` : `${who} deleted ${name}`;
        }
        case 'pushed':
            return `${names.participant(event.from?.no) ?? 'Somebody'} showed ${event.url}`;
        case 'noticed':
            return tellNotice(event, names).text;
        case 'idle-warned':
            return `${names.visitor()} was told that the chat will be closed at ${timeOfDay(event.closes)}${quoted(event.text)}`;
        case 'idle-closed':
            return event.text ? `${names.visitor()} was told why the chat is closed${quoted(event.text)}` : null;
        case 'survey':
            return `${names.visitor()} was asked for an opinion`;
        case 'held':
            return `${names.staff(event.agent)} put the chat on hold`;
        case 'away':
            if (names.away) return null;
            return event.reason === 'background'
                ? `${names.visitor()} put the chat in the background`
                : `${names.visitor()} lost the connection and may come back`;
        case 'back':
            return names.away ? `${names.visitor()} is back` : null;
        default:
            return isRouting(event) ? routed(event, names) : null;
    }
}

/** Whoever leaves to end the chat or to put it on hold is told of by that itself. */
function left(event: Left, names: Names): string | null {
    if (event.reason === 'end' || event.reason === 'hold') return null;
    const who = names.participant(event.from?.no) ?? 'Somebody';
    return event.reason === 'lost' ? `${who} did not come back` : `${who} left`;
}

function ended(event: Ended, names: Names): string {
    const by = names.participant(event.by);
    if (event.reason === 'gone') return 'The chat ended because the customer was gone';
    if (event.reason === 'operator') return 'The operator of this server ended the chat';
    if (event.reason === 'idle') return 'The chat ended because nothing was written for a while';
    return by ? `${by} ended the chat` : 'The chat has ended';
}

function routed(event: Routed, names: Names): string {
    const because = 'reason' in event && event.reason ? ` (${event.reason})` : '';
    switch (event.type) {
        case 'queued':
            return event.queue ? `Waiting in ${event.queue}` : 'Waiting';
        case 'offered':
            return `Offered to ${names.staff(event.agent).replace(/^You$/, 'you')}${because}`;
        case 'accepted':
            return `${names.staff(event.agent)} accepted`;
        case 'declined':
            return `${names.staff(event.agent)} declined${because}`;
        case 'missed':
            return `${names.staff(event.agent)} did not answer`;
        case 'withdrawn':
            return `The offer was withdrawn${because}`;
    }
}
