import type { ChatGrew } from '../../wire/delivery';
import { listed } from '../list';
import { withoutEchoes } from '../outbox';
import type { State } from '../state';
import { grow } from '../transcript';

/** A chat of the agent's grew. */
export function chat(state: State, message: ChatGrew): State {
    const id = message.chat.id;
    const had = state.chats[id];
    const mine = state.agent?.chats.includes(id) ?? false;
    if (!had && !mine && state.done.includes(id)) return state;
    const now = grow(had, message.chat, message.events);
    const outbox = withoutEchoes(state.outbox, message.events);
    if (now === had && outbox === state.outbox) return state;
    return listed({ ...state, chats: { ...state.chats, [id]: now }, outbox }, [id]);
}
