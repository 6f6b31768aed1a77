import { sessionStore } from '@halley/shared/storage';
import { reactive } from 'vue';
import { forgetDrafts, type Audience } from './drafts';

const chosen = reactive(new Map<string, Audience>());

/**
 * For whom the agent writes in a chat: everybody until he chooses otherwise. Nothing but his own
 * choice changes it, neither sending a line nor another chat nor a reload, because a remark that he
 * believes to be for staff must not go to the customer.
 */
export function audienceOf(chat: string): Audience {
    return chosen.get(chat) ?? (sessionStore.read(keyOf(chat)) === 'staff' ? 'staff' : 'all');
}

export function writeFor(chat: string, audience: Audience): void {
    chosen.set(chat, audience);
    sessionStore.write(keyOf(chat), audience === 'staff' ? 'staff' : null);
}

/** Forgets what was begun in a chat and for whom, when the agent puts it away. */
export function forgetWriting(chat: string): void {
    forgetDrafts(chat);
    chosen.delete(chat);
    sessionStore.write(keyOf(chat), null);
}

function keyOf(chat: string): string {
    return `halley.desk.audience.${chat}`;
}
