import type { Delivery } from '../wire/delivery';
import { chat } from './incoming/chat';
import { own } from './incoming/own';
import { reply } from './incoming/reply';
import { resumed } from './incoming/resumed';
import { transcript } from './incoming/transcript';
import { waiting } from './incoming/waiting';
import type { Local } from './local';
import { localChanges } from './local-changes';
import type { State } from './state';

/** Everything that changes what the desk shows. */
export type Message = Delivery | Local;

const changes: Readonly<Record<string, unknown>> = { chat, own, reply, resumed, transcript, waiting, ...localChanges };

/**
 * The one place where the state changes: the state after a message. It is pure; a message of a type
 * it does not know changes nothing.
 */
export function reduce(state: State, message: Message): State {
    if (!Object.hasOwn(changes, message.type)) return state;
    const change = changes[message.type] as (state: State, message: Message) => State;
    return change(state, message);
}
