import type { Delivery } from '../wire/delivery';
import { chat } from './incoming/chat';
import { own } from './incoming/own';
import { reply } from './incoming/reply';
import { resumed } from './incoming/resumed';
import { transcript } from './incoming/transcript';
import { waiting } from './incoming/waiting';
import type { Local } from './local';
import { localChanges } from './local-changes';
import { missing } from './list';
import { due } from './outbox';
import type { Pending, State } from './state';

/** Everything that changes what the desk shows. */
export type Message = Delivery | Local;

// A message type without a handler does not compile.
const handlers = { chat, own, reply, resumed, transcript, waiting, ...localChanges } satisfies {
    [T in Message['type']]: (state: State, message: Extract<Message, { type: T }>) => State;
};

/** Returns the state after a message. It is pure; a message of an unknown type changes nothing. */
export function reduce(state: State, message: Message): State {
    if (!Object.hasOwn(handlers, message.type)) return state;
    const handle = handlers[message.type] as (state: State, message: Message) => State;
    return handle(state, message);
}

/** What has to be done after a change of the state, in this order. */
export type Effect =
    | { readonly do: 'resume' }
    /** Send these commands; the state already counts them as sent. */
    | { readonly do: 'send'; readonly commands: readonly Pending[] }
    /** Send this command again after a pause. */
    | { readonly do: 'release'; readonly id: string }
    /** Ask for the transcripts of these chats. */
    | { readonly do: 'open'; readonly chats: readonly string[] };

/** The state after a message, and the effects of the change. It is pure. */
export function step(before: State, message: Message): { readonly state: State; readonly effects: readonly Effect[] } {
    const changed = reduce(before, message);
    if (changed === before && message.type !== 'desk-linked') return { state: before, effects: [] };
    const effects: Effect[] = [];
    if (resumes(before, changed, message)) effects.push({ do: 'resume' });
    for (const { id } of newlyHeld(before, changed)) effects.push({ do: 'release', id });
    const commands = due(changed);
    if (commands.length > 0) effects.push({ do: 'send', commands });
    const ids = commands.map(({ id }) => id);
    const state = commands.length > 0 ? reduce(changed, { type: 'desk-sent', ids }) : changed;
    const chats = message.type === 'resumed' ? missing(state) : [];
    if (chats.length > 0) effects.push({ do: 'open', chats });
    return { state, effects };
}

/** A new link resumes, and so does an answer which says that the desk has not, or that its cursor is refused. */
function resumes(before: State, after: State, message: Message): boolean {
    if (message.type === 'desk-linked') return true;
    if (message.type !== 'reply' || after.link.phase !== 'resuming') return false;
    return before.link.phase === 'up' || (after.cursorless && !before.cursorless);
}

function newlyHeld(before: State, after: State): readonly Pending[] {
    if (after.outbox === before.outbox) return [];
    const held = new Set(before.outbox.flatMap(({ id, status }) => (status === 'held' ? [id] : [])));
    return after.outbox.filter(({ id, status }) => status === 'held' && !held.has(id));
}
