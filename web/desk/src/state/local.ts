import type { Pending } from './state';

/** What happens at the desk itself, one shape per type. Their names begin with `desk-` so that no delivery is taken for one. */
export type Local =
    /** A Bayeux session stands, new or found again, and a resume is on its way. */
    | { readonly type: 'desk-linked'; readonly transport: string; readonly at: number }
    | { readonly type: 'desk-lost'; readonly at: number }
    /** The agent wants something done. */
    | { readonly type: 'desk-ordered'; readonly pending: Pending }
    /** Commands have been handed to the connection. */
    | { readonly type: 'desk-sent'; readonly ids: readonly string[] }
    /** A resume with this id goes out now. */
    | { readonly type: 'desk-resuming'; readonly id: string }
    /** The connection cannot carry a command, or the server refused to take it: it will never be answered. */
    | { readonly type: 'desk-refused'; readonly id: string; readonly why: string }
    /** The pause before a refused command is sent again is over. */
    | { readonly type: 'desk-released'; readonly id: string }
    /** The agent wants a failed line sent again, which makes it a new command. */
    | { readonly type: 'desk-retried'; readonly id: string; readonly fresh: string }
    | { readonly type: 'desk-discarded'; readonly id: string }
    | { readonly type: 'desk-selected'; readonly chat: string }
    /** The agent has the chat before him and has seen it up to its end. */
    | { readonly type: 'desk-looked'; readonly chat: string }
    | { readonly type: 'desk-done'; readonly chat: string }
    /** Something at the desk itself is worth a notice. */
    | { readonly type: 'desk-told'; readonly text: string }
    | { readonly type: 'desk-read-notice'; readonly id: number };
