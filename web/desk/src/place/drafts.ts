import { sessionStore } from '@halley/shared/storage';

/** For whom the agent writes: for everybody in the chat, or for staff alone. */
export type Audience = 'all' | 'staff';

/**
 * What the agent has begun to write in each chat, kept across a change of chat and a reload. Each
 * audience has a draft of its own: a change of audience never carries a text over, so that nothing
 * written for staff gets before the customer by it.
 */
export function readDraft(chat: string, audience: Audience): string {
    return sessionStore.read(keyOf(chat, audience)) ?? '';
}

export function writeDraft(chat: string, audience: Audience, text: string): void {
    sessionStore.write(keyOf(chat, audience), text === '' ? null : text);
}

export function forgetDrafts(chat: string): void {
    writeDraft(chat, 'all', '');
    writeDraft(chat, 'staff', '');
}

function keyOf(chat: string, audience: Audience): string {
    return audience === 'staff' ? `halley.desk.draft.staff.${chat}` : `halley.desk.draft.${chat}`;
}
