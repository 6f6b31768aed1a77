import type { Agent, ChatEvent, ChatInfo, ChatLog, Own } from '../src/wire/shapes';
import type { Resumed } from '../src/wire/delivery';

/** The agent whose desk is under test, and the participant he is in every chat. */
export const ME = 7;
export const me = { no: 2, role: 'agent', name: 'Anna', staff: ME };
export const visitor = { no: 1, role: 'visitor', name: 'Maria' };

export const NOON = Date.UTC(2026, 10, 22, 12);

export function info(id: string, more: Partial<ChatInfo> = {}): ChatInfo {
    const rest = { service: 'support', queue: 'support', phase: 'active', name: 'Maria', subject: '' } as const;
    return { id, ...rest, opened: NOON, ...more };
}

export function agent(last: number, more: Partial<Agent> = {}): Agent {
    const who = { id: ME, login: 'anna', name: 'Anna', role: 'agent', capacity: 4 };
    return { ...who, presence: 'ready', reason: '', since: NOON, chats: ['A'], offers: [], last, ...more };
}

export function resumed(chats: readonly ChatLog[], more: Partial<Resumed> = {}): Resumed {
    return { type: 'resumed', id: 'r', now: NOON, agent: agent(1), own: [], chats, left: [], waiting: [], ...more };
}

export function said(index: number, text: string, id?: string): ChatEvent {
    const from = id === undefined ? visitor : me;
    return { index, at: NOON + index * 1000, type: 'said', text, from, ...(id === undefined ? {} : { id }) };
}

export function typed(index: number, on: boolean, preview = ''): ChatEvent {
    return { index, at: NOON + index * 1000, type: 'typed', on, preview, from: visitor };
}

export function joined(index: number, from: typeof visitor | typeof me = visitor): ChatEvent {
    return { index, at: NOON + index * 1000, type: 'joined', from };
}

export function ended(index: number): ChatEvent {
    return { index, at: NOON + index * 1000, type: 'ended', reason: 'visitor', by: 1 };
}

export function assigned(index: number, chat: string): Own {
    return { index, at: NOON, type: 'assigned', chat };
}

/** A source of numbers in [0, 1) that is the same in every run with the same seed. */
export function dice(seed: number): () => number {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    };
}
