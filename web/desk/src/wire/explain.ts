const words: Readonly<Record<string, string>> = {
    invalid: 'The server did not understand that.',
    forbidden: 'You are not in this chat.',
    'not-found': 'This chat does not exist any more.',
    ended: 'The chat has ended.',
    conflict: 'Somebody else was faster.',
    capacity: 'You have as many chats as you can take.',
    'too-long': 'The message is too long.',
    'not-offered': 'The offer is no longer open.',
};

/** Says in an agent's words why a command was refused. */
export function explain(code: string): string {
    return words[code] ?? 'The server refused it.';
}
