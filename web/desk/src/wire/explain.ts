const words: Readonly<Record<string, string>> = {
    invalid: 'The server did not understand that.',
    forbidden: 'You are not in this chat.',
    'not-found': 'This chat does not exist any more.',
    ended: 'The chat has ended.',
    conflict: 'Somebody else was faster.',
    capacity: 'You have as many chats as you can take.',
    'too-long': 'The message is too long.',
    'too-many': 'There are as many files in this chat as there may be.',
    'too-large': 'The file is too large, or all files together are.',
    'wrong-type': 'Files of this type are not taken.',
    unknown: 'That is not possible in this chat.',
    'not-offered': 'The offer is no longer open.',
    'chat-full': 'This chat is full. Nothing more can be written in it.',
    'read-only': 'A newer version of the server has written to this chat. Here it can only be read.',
};

/** Says in an agent's words why a command was refused. */
export function explain(code: string): string {
    return words[code] ?? 'The server refused it.';
}
