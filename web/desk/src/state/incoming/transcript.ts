import type { Transcript } from '../../wire/delivery';
import { listed } from '../list';
import { without, withoutEchoes } from '../outbox';
import type { State } from '../state';
import { grow } from '../transcript';

/** A whole chat that the desk had asked to see, as after a reload for a chat that is closed but not put away. */
export function transcript(state: State, message: Transcript): State {
    const id = message.chat.id;
    const now = grow(state.chats[id], message.chat, message.events);
    const read = now.info.phase === 'ended' ? { ...now, read: now.last } : now;
    const outbox = withoutEchoes(
        without(state.outbox, (pending) => pending.id === message.id),
        message.events,
    );
    return listed({ ...state, chats: { ...state.chats, [id]: read }, outbox }, [id]);
}
