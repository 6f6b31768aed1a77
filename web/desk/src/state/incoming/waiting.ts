import type { WaitingChanged } from '../../wire/delivery';
import type { State } from '../state';

/** The list of waiting chats changed; it always comes whole. */
export function waiting(state: State, message: WaitingChanged): State {
    return { ...state, waiting: message.waiting };
}
