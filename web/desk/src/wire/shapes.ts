/**
 * The shapes of the desk API, as docs/desk-api.md describes them. Times are milliseconds since
 * 1970 by the server's clock.
 */

export type Presence = 'ready' | 'not-ready' | 'not-responding' | 'offline';

/** Who signed in: the answer of the session's HTTP interface. */
export interface Account {
    readonly id: number;
    readonly login: string;
    readonly name: string;
    readonly role: string;
    readonly capacity: number;
}

export interface Offer {
    readonly chat: string;
    readonly until: number;
    readonly queue: string;
    readonly name: string;
    readonly subject: string;
    readonly since: number;
    readonly reason?: string;
}

export interface Agent extends Account {
    readonly presence: Presence;
    readonly reason: string;
    readonly since: number;
    readonly chats: readonly string[];
    readonly offers: readonly Offer[];
    /** The last index of the agent's own log, so that of two pictures of the agent the newer one is known. */
    readonly last: number;
}

export type Own = { readonly index: number; readonly at: number } & (
    | { readonly type: 'presence'; readonly to: Presence; readonly reason?: string }
    | ({ readonly type: 'offer-made' } & Offer)
    | {
          readonly type: 'offer-closed';
          readonly chat: string;
          readonly outcome: 'accepted' | 'declined' | 'missed' | 'withdrawn';
      }
    | { readonly type: 'assigned'; readonly chat: string }
    | { readonly type: 'freed'; readonly chat: string }
);

export type Phase = 'waiting' | 'active' | 'held' | 'ended';

export interface ChatInfo {
    readonly id: string;
    readonly service: string;
    readonly queue: string;
    readonly phase: Phase;
    readonly name: string;
    readonly subject: string;
    readonly opened: number;
    readonly waiting?: number;
    readonly ended?: number;
    readonly away?: boolean;
    readonly agents?: readonly number[];
    /** When the visitor left a chat that stays, so that an agent may read it. */
    readonly abandoned?: number;
}

export interface Waiting {
    readonly id: string;
    readonly service: string;
    readonly queue: string;
    readonly name: string;
    readonly subject: string;
    readonly since: number;
    /** The agent it is on offer to now, 0 for none. */
    readonly offered: number;
    /** When the visitor left a chat that stays, so that an agent may read it. */
    readonly abandoned?: number;
}

/** A participant as an event names it. Staff is the agent's id and missing for a visitor. */
export interface From {
    readonly no: number;
    readonly role: string;
    readonly name: string;
    readonly staff?: number;
}

export interface Opening {
    readonly first?: string;
    readonly last?: string;
    readonly email?: string;
}

interface Happened {
    readonly index: number;
    readonly at: number;
    readonly from?: From;
}

export type Joined = Happened & {
    readonly type: 'joined';
    readonly data?: Readonly<Record<string, unknown>>;
    readonly opening?: Opening;
    /** The chat lives for days, and can be put on hold. */
    readonly async?: boolean;
};
export type Left = Happened & { readonly type: 'left'; readonly reason?: string };
export type Said = Happened & {
    readonly type: 'said';
    readonly text: string;
    readonly messageType?: string;
    readonly attributes?: unknown;
    /** For whom the line is if not for everybody: "staff", or "private" for the participants in `to`. */
    readonly audience?: string;
    readonly to?: readonly number[];
    /** The id of the command behind the line, if it was this agent's own. */
    readonly id?: string;
};
export type Typed = Happened & { readonly type: 'typed'; readonly on: boolean; readonly preview?: string };
export type Routed = Happened &
    (
        | { readonly type: 'queued'; readonly queue?: string }
        | { readonly type: 'offered'; readonly agent: number; readonly until?: number; readonly reason?: string }
        | { readonly type: 'accepted' | 'missed'; readonly agent: number }
        | { readonly type: 'declined' | 'withdrawn'; readonly agent: number; readonly reason?: string }
    );
export type Bound = Happened & { readonly type: 'away' | 'back' | 'gone'; readonly reason?: string };
export type Ended = Happened & { readonly type: 'ended'; readonly reason?: string; readonly by?: number };

export type Renamed = Happened & { readonly type: 'renamed'; readonly name: string };
export type Pushed = Happened & { readonly type: 'pushed'; readonly url: string };
/** A participant's program sent a notice to the programs on the other side. */
export type ProgramNotice = Happened & {
    readonly type: 'noticed';
    readonly text?: string;
    readonly attributes?: unknown;
};
/** Attached data that came later, or changed. */
export type DataSet = Happened & { readonly type: 'data'; readonly data?: Readonly<Record<string, unknown>> };

/** What the house did about the chat's life: it warned the visitor, closed the chat, asked for an opinion. */
export type Housed = Happened &
    (
        | { readonly type: 'idle-warned'; readonly stage: number; readonly text: string; readonly closes: number }
        | { readonly type: 'idle-closed'; readonly text: string }
        | { readonly type: 'survey'; readonly url: string }
    );
/** An agent left the chat asleep until its visitor writes again. */
export type Held = Happened & { readonly type: 'held'; readonly agent: number };

/** A file was shared. */
export type Shared = Happened & {
    readonly type: 'shared';
    readonly file: string;
    readonly name: string;
    /** In bytes. */
    readonly size: number;
    readonly mediaType: string;
    readonly description?: string;
    /** The id of the command behind it, if it was this agent's own. */
    readonly id?: string;
};
/** A file was deleted. */
export type Unshared = Happened & { readonly type: 'unshared'; readonly file: string };

export type ChatEvent =
    | Joined
    | Left
    | Said
    | Typed
    | Renamed
    | Pushed
    | ProgramNotice
    | DataSet
    | Routed
    | Bound
    | Ended
    | Housed
    | Held
    | Shared
    | Unshared;

export interface ChatLog {
    readonly chat: ChatInfo;
    readonly events: readonly ChatEvent[];
}

/** The last index seen of the agent's own log and of each chat. */
export interface Cursor {
    readonly own: number;
    readonly chats: Readonly<Record<string, number>>;
}
