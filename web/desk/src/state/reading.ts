import { timer } from '@halley/shared/duration';
import type { ChatEvent, From, Joined, Said, Shared } from '../wire/shapes';
import type { Chat, State } from './state';
import { isStaff } from './transcript';

/** How long a typing preview stands without a new one. */
export const TYPING_SPAN = 10_000;

/** How long a customer's line may go unanswered before its row is marked, first gently, then urgently. */
export const WARN_SPAN = 40_000;
export const URGENT_SPAN = 120_000;

/** Says whether a line, or a file, came from the customer's side. */
export function isVisitorLine(event: ChatEvent): event is Said | Shared {
    return (event.type === 'said' || event.type === 'shared') && !!event.from && !isStaff(event.from.role);
}

/** The moment of the first customer line that nobody has answered; null if the ball is with the customer. */
export function unansweredSince(chat: Chat): number | null {
    let since: number | null = null;
    for (let i = chat.events.length - 1; i >= 0; i--) {
        const event = chat.events[i]!;
        const aside = event.type === 'said' && (event.audience || event.from?.role === 'house');
        if ((event.type !== 'said' && event.type !== 'shared') || aside) continue;
        if (isStaff(event.from?.role)) break;
        since = event.at;
    }
    return since;
}

/** The number of customer lines after the agent's last look and after his own last line. */
export function unread(chat: Chat, me: number): number {
    let count = 0;
    for (let i = chat.events.length - 1; i >= 0; i--) {
        const event = chat.events[i]!;
        if (event.index <= chat.read) break;
        if (event.type !== 'said' && event.type !== 'shared') continue;
        if (event.from?.staff === me) break;
        if (isVisitorLine(event)) count++;
    }
    return count;
}

/** The last line that anybody wrote, or the last file. */
export function lastSaid(chat: Chat): Said | Shared | undefined {
    return chat.events.findLast((event) => event.type === 'said' || event.type === 'shared');
}

/** A participant and whether it is in the chat now. */
export interface Participant extends From {
    readonly present: boolean;
}

/** Everybody who was or is in the chat, in the order of coming. */
export function participants(chat: Chat): Participant[] {
    const people = new Map<number, Participant>();
    for (const event of chat.events) {
        if (!event.from || (event.type !== 'joined' && event.type !== 'left')) continue;
        people.set(event.from.no, { ...event.from, present: event.type === 'joined' });
    }
    return [...people.values()];
}

/** The first event of a chat, which says who the customer is and what the page sent along. */
export function openingOf(chat: Chat): Joined | undefined {
    return chat.events.find((event): event is Joined => event.type === 'joined');
}

/** Says whether the chat lives for days and can be put on hold. */
export function canHold(chat: Chat): boolean {
    return openingOf(chat)?.async === true;
}

/** What the page sent along, and what it added or changed since. */
export function dataOf(chat: Chat): Readonly<Record<string, unknown>> {
    const all: Record<string, unknown> = {};
    for (const event of chat.events) {
        if (event.type === 'joined' || event.type === 'data') Object.assign(all, event.data);
    }
    return all;
}

/** Why nothing can be written any more, if so. */
export type Closed = 'ended' | 'left' | null;

/** How long the server lets an agent come back into a chat that he left. */
const REJOIN_SPAN = 60_000;

/** Says whether the agent may come back into a chat: he left it a moment ago, and nobody has taken it since. */
export function canRejoin(state: State, chat: Chat, now: number): boolean {
    if (closed(state, chat) !== 'left' || chat.info.phase !== 'waiting') return false;
    const left = chat.events.findLast((event) => event.type === 'left' && event.from?.staff === state.agent?.id);
    return left?.type === 'left' && left.reason !== 'hold' && now - left.at < REJOIN_SPAN;
}

/**
 * What the agent should know of the customer besides the lines: that the chat is about to be closed because nothing
 * is written, or that the customer is away. Empty if there is nothing, or if the chat has ended.
 */
export function customerState(chat: Chat, now: number): string {
    if (chat.info.phase === 'ended') return '';
    const last = chat.events.findLast((event) => ['said', 'shared', 'idle-warned'].includes(event.type));
    if (last?.type === 'idle-warned' && last.closes > now) return `Closes in ${timer(last.closes - now)}`;
    return chat.info.away ? 'Away' : '';
}

/**
 * A chat is closed to the agent when it has ended, or when both his own log and the chat's events
 * say that he is not in it. Either alone may be ahead of the other for a moment.
 */
export function closed(state: State, chat: Chat): Closed {
    if (chat.info.phase === 'ended' || chat.events.at(-1)?.type === 'ended') return 'ended';
    if (state.agent?.chats.includes(chat.info.id)) return null;
    const me = state.agent?.id;
    return participants(chat).some((person) => person.staff === me && person.present) ? null : 'left';
}
