import { passing } from '@halley/shared/keep';

/** What the agent has begun to write in each chat, kept across a change of chat and a reload. */
export function readDraft(chat: string): string {
    return passing.read(keyOf(chat)) ?? '';
}

export function writeDraft(chat: string, text: string): void {
    passing.write(keyOf(chat), text === '' ? null : text);
}

function keyOf(chat: string): string {
    return `halley.desk.draft.${chat}`;
}
