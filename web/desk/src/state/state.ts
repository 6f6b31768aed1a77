import type { Order } from '../wire/command';
import type { Agent, ChatEvent, ChatInfo, Cursor, Waiting } from '../wire/shapes';

/** A preview of what a visitor is typing, as of a moment of the server's clock. */
export interface Typing {
    readonly no: number;
    readonly name: string;
    readonly preview: string;
    readonly at: number;
}

/** Where the divider "while you were away" stands, and how many lines are below it. */
export interface AwayMark {
    readonly after: number;
    readonly count: number;
}

/** A chat as the desk knows it: drawn from its events alone, in the order of their indexes, without typing. */
export interface Chat {
    readonly info: ChatInfo;
    readonly events: readonly ChatEvent[];
    /** The last index seen, typing included. It never goes back. */
    readonly last: number;
    /** The last index the agent has looked at. */
    readonly read: number;
    readonly typing: Typing | null;
    readonly away: AwayMark | null;
}

/**
 * A command on its way. `waiting` is yet to be sent, `sent` is under way, `held` was refused for the
 * moment and is sent again soon, `acked` was answered and only its own event is missing, `failed`
 * was refused for good.
 */
export interface Pending {
    readonly id: string;
    readonly at: number;
    readonly order: Order;
    readonly status: 'waiting' | 'sent' | 'held' | 'acked' | 'failed';
    readonly error?: string;
    /** How often it was handed to the connection. */
    readonly attempts: number;
}

/**
 * The connection. `down` until a Bayeux session stands, `resuming` until the server has told what
 * was missed, then `up`. Since is the moment of this computer's clock at which it last ceased to be up.
 */
export interface Link {
    readonly phase: 'down' | 'resuming' | 'up';
    readonly since: number;
    readonly transport: string;
}

/** A short message for the agent, shown for some seconds. */
export interface Notice {
    readonly id: number;
    readonly text: string;
}

/** Everything the desk shows that comes from the server or is on its way to it. */
export interface State {
    readonly link: Link;
    readonly agent: Agent | null;
    /** The last index seen of the agent's own log. */
    readonly own: number;
    readonly chats: Readonly<Record<string, Chat>>;
    /** The chats of the list, oldest first; it only grows at its end and shrinks when the agent is done with one. */
    readonly order: readonly string[];
    /** The closed chats that the agent has put away. */
    readonly done: readonly string[];
    readonly waiting: readonly Waiting[];
    readonly outbox: readonly Pending[];
    /** The id of the resume that is on its way. */
    readonly resume: string | null;
    /** The server refused the cursor: resumes carry none until one has succeeded. */
    readonly cursorless: boolean;
    /** The last indexes of the chats when the connection was lost, until it is back. */
    readonly lost: Readonly<Record<string, number>> | null;
    readonly selected: string | null;
    /** How far the agent had read the chats of the list before the page was loaded again. */
    readonly readBefore: Readonly<Record<string, number>>;
    /** The chat that this desk has accepted and wants to see as soon as it is there. */
    readonly accepting: string | null;
    readonly notices: readonly Notice[];
    /** Whose chat the agent did not answer, the last time. */
    readonly missed: string;
}

/** A desk that has heard nothing yet. */
export const empty: State = {
    link: { phase: 'down', since: 0, transport: '' },
    agent: null,
    own: 0,
    chats: {},
    order: [],
    done: [],
    waiting: [],
    outbox: [],
    resume: null,
    cursorless: false,
    lost: null,
    selected: null,
    readBefore: {},
    accepting: null,
    notices: [],
    missed: '',
};

/** The cursor that a resume carries. Chats that have ended are left out: nothing comes after an end. */
export function cursorOf(state: State): Cursor {
    return {
        own: state.own,
        chats: Object.fromEntries(
            Object.values(state.chats)
                .filter((chat) => chat.info.phase !== 'ended')
                .map((chat) => [chat.info.id, chat.last]),
        ),
    };
}
