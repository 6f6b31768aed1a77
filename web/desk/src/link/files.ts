import { freshId } from '@halley/shared/ids';
import { explain } from '../wire/explain';

/** The address of a chat's files, or of one of them. */
export function fileAddress(chat: string, file = ''): string {
    const all = `/api/v1/chats/${encodeURIComponent(chat)}/files`;
    return file === '' ? all : `${all}/${encodeURIComponent(file)}`;
}

/** Shares a file in a chat; what went wrong in words, or an empty text. The event comes over the desk's own connection. */
export function sendFile(chat: string, file: File): Promise<string> {
    const form = new FormData();
    form.append('id', freshId());
    form.append('file', file);
    return ask(fileAddress(chat), { method: 'POST', body: form });
}

/** Deletes a file of a chat; what went wrong in words, or an empty text. */
export function deleteFile(chat: string, file: string): Promise<string> {
    return ask(fileAddress(chat, file), { method: 'DELETE' });
}

async function ask(address: string, request: RequestInit): Promise<string> {
    try {
        const answer = await fetch(address, { ...request, credentials: 'same-origin' });
        return answer.ok ? '' : explain(await code(answer));
    } catch {
        return 'The server cannot be reached.';
    }
}

async function code(answer: Response): Promise<string> {
    try {
        return ((await answer.json()) as { error?: { code?: string } }).error?.code ?? '';
    } catch {
        return '';
    }
}
