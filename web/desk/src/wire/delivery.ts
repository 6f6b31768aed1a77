import type { Agent, ChatEvent, ChatInfo, ChatLog, Own, Waiting } from './shapes';

/** What the server delivers, one shape per type. */

export interface Reply {
    readonly type: 'reply';
    readonly id: string;
    readonly ok: boolean;
    readonly error?: { readonly code: string; readonly message: string };
}

export interface Resumed {
    readonly type: 'resumed';
    readonly id: string;
    readonly now: number;
    readonly agent: Agent;
    readonly own: readonly Own[];
    readonly chats: readonly ChatLog[];
    readonly left: readonly string[];
    readonly waiting: readonly Waiting[];
}

export interface OwnGrew {
    readonly type: 'own';
    readonly agent: Agent;
    readonly events: readonly Own[];
}

export interface ChatGrew {
    readonly type: 'chat';
    readonly chat: ChatInfo;
    readonly events: readonly ChatEvent[];
}

export interface WaitingChanged {
    readonly type: 'waiting';
    readonly waiting: readonly Waiting[];
}

export interface Transcript {
    readonly type: 'transcript';
    readonly id: string;
    readonly chat: ChatInfo;
    readonly events: readonly ChatEvent[];
}

export type Delivery = Reply | Resumed | OwnGrew | ChatGrew | WaitingChanged | Transcript;

/**
 * Reads what came over the wire; null if it is nothing this desk knows. Lists that are missing or
 * null are empty, so that no other place has to think of it.
 */
export function readDelivery(data: unknown): Delivery | null {
    if (typeof data !== 'object' || data === null) return null;
    const given = data as Delivery;
    switch (given.type) {
        case 'reply':
            return given;
        case 'resumed':
            return {
                ...given,
                agent: readAgent(given.agent),
                own: list(given.own),
                chats: list(given.chats).map((log) => ({ ...log, events: list(log.events) })),
                left: list(given.left),
                waiting: list(given.waiting),
            };
        case 'own':
            return { ...given, agent: readAgent(given.agent), events: list(given.events) };
        case 'chat':
        case 'transcript':
            return { ...given, events: list(given.events) };
        case 'waiting':
            return { ...given, waiting: list(given.waiting) };
        default:
            return null;
    }
}

function readAgent(agent: Agent): Agent {
    return { ...agent, chats: list(agent.chats), offers: list(agent.offers) };
}

function list<T>(given: readonly T[] | null | undefined): readonly T[] {
    return given ?? [];
}
