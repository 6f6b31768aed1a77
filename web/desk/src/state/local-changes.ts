import { refused } from './incoming/reply';
import { putAway } from './list';
import { exhausted, unsent, withStatus, without } from './outbox';
import type { Local } from './local';
import { noticed } from './notices';
import { closed } from './reading';
import { cursorOf, type State } from './state';

type Of<T extends Local['type']> = Extract<Local, { type: T }>;

/** What each local happening does to the state. */
export const localChanges: { readonly [T in Local['type']]: (state: State, message: Of<T>) => State } = {
    'desk-linked': (state, message) => ({
        ...state,
        link: {
            phase: 'resuming',
            since: state.link.phase === 'up' ? message.at : state.link.since,
            transport: message.transport,
        },
        outbox: unsent(state.outbox),
    }),
    'desk-lost': (state, message) => ({
        ...state,
        link: { ...state.link, phase: 'down', since: state.link.phase === 'up' ? message.at : state.link.since },
        outbox: exhausted(unsent(state.outbox)),
        lost: state.lost ?? (state.agent ? cursorOf(state).chats : null),
    }),
    'desk-ordered': (state, { pending }) => ({
        ...state,
        outbox: [...state.outbox, pending],
        accepting: pending.order.op === 'accept' ? pending.order.chat : state.accepting,
        chats: pending.order.op === 'say' ? withoutMark(state, pending.order.chat) : state.chats,
    }),
    'desk-sent': (state, message) => ({
        ...state,
        outbox: state.outbox.map((pending) =>
            pending.status === 'waiting' && message.ids.includes(pending.id)
                ? { ...pending, status: 'sent', attempts: pending.attempts + 1 }
                : pending,
        ),
    }),
    'desk-resuming': (state, message) => ({ ...state, resume: message.id }),
    'desk-refused': (state, message) => refused(state, message.id, message.why),
    'desk-released': (state, message) =>
        state.outbox.some((pending) => pending.id === message.id && pending.status === 'held')
            ? { ...state, outbox: withStatus(state.outbox, message.id, 'waiting') }
            : state,
    'desk-retried': (state, message) => {
        const failed = state.outbox.find((pending) => pending.id === message.id && pending.status === 'failed');
        if (!failed) return state;
        const again = {
            id: message.fresh,
            at: failed.at,
            order: failed.order,
            status: 'waiting' as const,
            attempts: 0,
        };
        return { ...state, outbox: [...without(state.outbox, (pending) => pending === failed), again] };
    },
    'desk-discarded': (state, message) => ({
        ...state,
        outbox: without(state.outbox, (pending) => pending.id === message.id),
    }),
    'desk-selected': (state, message) => ({ ...state, selected: message.chat, accepting: null }),
    'desk-looked': (state, message) => {
        const chat = state.chats[message.chat];
        if (!chat || chat.read === chat.last) return state;
        return { ...state, chats: { ...state.chats, [message.chat]: { ...chat, read: chat.last } } };
    },
    'desk-done': (state, message) => {
        const chat = state.chats[message.chat];
        if (!chat || !closed(state, chat)) return state;
        const place = state.order.indexOf(message.chat);
        const rest = putAway(state, [message.chat]);
        const next = rest.order[place] ?? rest.order.at(-1) ?? null;
        const selected = state.selected === message.chat ? next : state.selected;
        const outbox = without(state.outbox, (one) => 'chat' in one.order && one.order.chat === message.chat);
        return { ...rest, selected, outbox };
    },
    'desk-told': (state, message) => noticed(state, message.text),
    'desk-read-notice': (state, message) => ({
        ...state,
        notices: state.notices.filter((notice) => notice.id !== message.id),
    }),
};

/** An answer shows that the agent has read what he missed. */
function withoutMark(state: State, id: string): State['chats'] {
    const chat = state.chats[id];
    return chat?.away ? { ...state.chats, [id]: { ...chat, away: null } } : state.chats;
}
