import type { ChatEvent, ChatInfo, Typed } from '../wire/shapes';
import type { Chat, Typing } from './state';

/**
 * Adds events to a chat. Whatever was seen before is dropped, so the same events in any number of
 * pushes and replays give the same transcript. The chat itself is returned if nothing is new.
 */
export function grow(chat: Chat | undefined, info: ChatInfo, events: readonly ChatEvent[]): Chat {
    const had = chat ?? { info, events: [], last: 0, read: 0, typing: null, away: null };
    const news = events.filter((event) => !seen(had, event)).toSorted((a, b) => a.index - b.index);
    const newer = news.filter((event, i) => event.index !== news[i - 1]?.index);
    const kept = newer.filter((event) => event.type !== 'typed');
    const newest = events.reduce((max, event) => Math.max(max, event.index), 0);
    const known = chooseInfo(had, info, newest, events.length);
    if (chat && newer.length === 0 && known === had.info) return chat;
    return {
        ...had,
        info: known,
        events: kept.length === 0 ? had.events : join(had.events, kept),
        last: Math.max(had.last, newest),
        typing: newer.reduce(typingAfter, had.typing),
    };
}

/** Typing is not kept, so an old record of it is known by its index alone. */
function seen(chat: Chat, event: ChatEvent): boolean {
    if (event.type === 'typed') return event.index <= chat.last;
    return event.index <= chat.last && find(chat.events, event.index);
}

function find(events: readonly ChatEvent[], index: number): boolean {
    let low = 0;
    let high = events.length - 1;
    while (low <= high) {
        const middle = (low + high) >> 1;
        const at = events[middle]!.index;
        if (at === index) return true;
        if (at < index) low = middle + 1;
        else high = middle - 1;
    }
    return false;
}

function join(had: readonly ChatEvent[], news: readonly ChatEvent[]): readonly ChatEvent[] {
    const joined = [...had, ...news];
    const inOrder = (had.at(-1)?.index ?? 0) < news[0]!.index;
    return inOrder ? joined : joined.sort((a, b) => a.index - b.index);
}

/** The description that comes with old events is old too; and a chat that has ended does not come to life again. */
function chooseInfo(had: Chat, info: ChatInfo, newest: number, count: number): ChatInfo {
    if (count > 0 && newest < had.last) return had.info;
    if (had.info.phase === 'ended' && info.phase !== 'ended') return had.info;
    return same(had.info, info) ? had.info : info;
}

function same(a: ChatInfo, b: ChatInfo): boolean {
    return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function typingAfter(typing: Typing | null, event: ChatEvent): Typing | null {
    if (event.type === 'typed') return preview(typing, event);
    if (event.type === 'ended') return null;
    if (!typing || event.from?.no !== typing.no) return typing;
    return event.type === 'said' || event.type === 'shared' || event.type === 'left' ? null : typing;
}

function preview(typing: Typing | null, event: Typed): Typing | null {
    const from = event.from;
    if (!from || isStaff(from.role)) return typing;
    if (!event.on) return typing?.no === from.no ? null : typing;
    return { no: from.no, name: from.name, preview: event.preview ?? '', at: event.at };
}

/** Says whether a role speaks for the house. */
export function isStaff(role: string | undefined): boolean {
    return role === 'agent' || role === 'supervisor' || role === 'bot' || role === 'house';
}
