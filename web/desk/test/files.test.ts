import { sizeInWords } from '@halley/shared/size';
import { afterEach, expect, test, vi } from 'vitest';
import { deleteFile, fileAddress, sendFile } from '../src/link/files';
import { lastSaid, unansweredSince, unread } from '../src/state/reading';
import { rowsOf } from '../src/state/rows';
import { grow } from '../src/state/transcript';
import type { ChatEvent } from '../src/wire/shapes';
import { info, joined, ME, me, NOON, said, typed, visitor } from './fixture';

afterEach(() => vi.unstubAllGlobals());

function shared(index: number, from: typeof visitor | typeof me = visitor): ChatEvent {
    const about = { file: `F${index}`, name: `bill${index}.pdf`, size: 1234, mediaType: 'application/pdf' };
    return { index, at: NOON + index * 1000, type: 'shared', from, ...about };
}

function unshared(index: number, file: string): ChatEvent {
    return { index, at: NOON + index * 1000, type: 'unshared', file, from: me };
}

test('a file is a row of its own, which says when it has been deleted', () => {
    const chat = grow(undefined, info('A'), [
        joined(1),
        shared(2),
        shared(3, me),
        unshared(4, 'F2'),
        unshared(5, 'F9'),
    ]);
    const rows = rowsOf(chat, ME);
    expect(rows.filter((row) => row.kind === 'file')).toMatchObject([
        { key: 'e2', side: 'visitor', mine: false, name: 'Maria', gone: true },
        { key: 'e3', side: 'agent', mine: true, gone: false },
    ]);
    expect(rows.flatMap((row) => (row.kind === 'fact' ? [row.text] : []))).toEqual([
        'Maria joined',
        'You deleted bill2.pdf',
        'You deleted a file',
    ]);
});

test('a file of the customer is unread and unanswered like a line, and ends the typing', () => {
    const chat = grow(undefined, info('A'), [joined(1), said(2, 'a'), typed(3, true, 'he'), shared(4)]);
    expect([unread(chat, ME), unansweredSince(chat), chat.typing]).toEqual([2, NOON + 2000, null]);
    expect(lastSaid(chat)).toMatchObject({ name: 'bill4.pdf' });
    const answered = grow(chat, info('A'), [shared(5, me)]);
    expect([unread(answered, ME), unansweredSince(answered)]).toEqual([0, null]);
});

test('a file goes to its chat as a form, with an id, and a refusal comes back in words', async () => {
    const calls: [string, RequestInit][] = [];
    let answer = new Response('{}');
    vi.stubGlobal('fetch', (address: string, request: RequestInit) => {
        calls.push([address, request]);
        return Promise.resolve(answer);
    });
    expect(await sendFile('AB', new File(['hello'], 'a.txt'))).toBe('');
    const [address, request] = calls[0]!;
    const form = request.body as FormData;
    expect([address, request.method]).toEqual(['/api/v1/chats/AB/files', 'POST']);
    expect([(form.get('file') as File).name, String(form.get('id')).length > 8]).toEqual(['a.txt', true]);

    answer = new Response('{"error":{"code":"wrong-type","message":"x"}}', { status: 415 });
    expect(await sendFile('AB', new File([''], 'a.exe'))).toBe('Files of this type are not taken.');
    answer = new Response('<html>', { status: 502 });
    expect(await deleteFile('AB', 'F1')).toBe('The server refused it.');
    expect(calls.at(-1)![0]).toBe('/api/v1/chats/AB/files/F1');
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('offline')));
    expect(await deleteFile('AB', 'F1')).toBe('The server cannot be reached.');
    expect(fileAddress('../x', 'a/b')).toBe('/api/v1/chats/..%2Fx/files/a%2Fb');
});

test('sizes in words', () => {
    const sizes = [1, 999, 1000, 1234, 99_960, 999_940, 999_950, 2_097_152, 5e9, 5e12];
    expect(sizes.map(sizeInWords)).toEqual([
        '1 byte',
        '999 bytes',
        '1.0 kB',
        '1.2 kB',
        '100 kB',
        '1000 kB',
        '1.0 MB',
        '2.1 MB',
        '5.0 GB',
        '5000 GB',
    ]);
});
