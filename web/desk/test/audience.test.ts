import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readDraft, writeDraft } from '../src/place/drafts';

/** The place as a page finds it that has just been loaded, with what the tab has kept. */
async function loaded() {
    vi.resetModules();
    return import('../src/place/audience');
}

beforeEach(() => {
    const values = new Map<string, string>();
    const sessionStorage = {
        getItem: (key: string) => values.get(key) ?? null,
        setItem: (key: string, value: string) => void values.set(key, value),
        removeItem: (key: string) => void values.delete(key),
    };
    vi.stubGlobal('window', { sessionStorage });
});
afterEach(() => vi.unstubAllGlobals());

test('an agent writes for everybody until he chooses otherwise, in that chat alone and across a reload', async () => {
    const place = await loaded();
    expect(place.audienceOf('A')).toBe('all');
    place.writeFor('A', 'staff');
    expect([place.audienceOf('A'), place.audienceOf('B')]).toEqual(['staff', 'all']);
    const again = await loaded();
    expect([again.audienceOf('A'), again.audienceOf('B')]).toEqual(['staff', 'all']);
    again.writeFor('A', 'all');
    expect([again.audienceOf('A'), (await loaded()).audienceOf('A')]).toEqual(['all', 'all']);
});

test('the choice holds in a browser that keeps nothing', async () => {
    vi.stubGlobal('window', {});
    const place = await loaded();
    place.writeFor('A', 'staff');
    expect(place.audienceOf('A')).toBe('staff');
});

test('each audience has a draft of its own', () => {
    writeDraft('A', 'staff', 'difficult customer');
    expect([readDraft('A', 'all'), readDraft('A', 'staff'), readDraft('B', 'staff')]).toEqual([
        '',
        'difficult customer',
        '',
    ]);
    writeDraft('A', 'all', 'Dear customer');
    writeDraft('A', 'staff', '');
    expect([readDraft('A', 'all'), readDraft('A', 'staff')]).toEqual(['Dear customer', '']);
});

test('a chat that is put away leaves neither text nor choice behind', async () => {
    const place = await loaded();
    place.writeFor('A', 'staff');
    writeDraft('A', 'staff', 'a remark');
    writeDraft('A', 'all', 'a line');
    place.forgetWriting('A');
    expect([place.audienceOf('A'), readDraft('A', 'all'), readDraft('A', 'staff')]).toEqual(['all', '', '']);
    expect((await loaded()).audienceOf('A')).toBe('all');
});
