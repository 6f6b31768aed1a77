import type { Cursor } from './shapes';

/** What the desk asks for, without the id that every command gets when it is made. */
export type Order =
    | { readonly op: 'ready' }
    | { readonly op: 'not-ready'; readonly reason?: string }
    | { readonly op: 'accept'; readonly chat: string }
    | { readonly op: 'decline'; readonly chat: string; readonly reason?: string }
    /** Without an audience the line is for everybody, the customer too. */
    | { readonly op: 'say'; readonly chat: string; readonly text: string; readonly audience?: 'staff' }
    | { readonly op: 'leave'; readonly chat: string }
    /** Comes back into a chat that the agent left a moment ago. */
    | { readonly op: 'rejoin'; readonly chat: string }
    | { readonly op: 'hold'; readonly chat: string }
    | { readonly op: 'end'; readonly chat: string }
    | { readonly op: 'open'; readonly chat: string };

/** What is worth sending only now; it is dropped when the connection is down. */
export type Signal = {
    readonly op: 'typing';
    readonly chat: string;
    readonly on: boolean;
    readonly text?: string;
};

export type Resume = { readonly op: 'resume'; readonly cursor?: Cursor };

/** An order, a signal or a resume with its id, as it goes over the wire. */
export type Command = (Order | Signal | Resume) & { readonly id: string };
