/* Files go both ways between a visitor's program and the desk. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { until } from '../harness/until.mjs';

/* A visitor who asks over plain HTTP, as programs do that show files. */
async function visitor(base, nickname) {
    const ask = async (path, fields) => {
        const form = new FormData();
        for (const [name, value] of Object.entries(fields)) form.append(name, value);
        return fetch(`${base}/genesys/2/${path}`, { method: 'POST', body: form });
    };
    const { chatId, secureKey } = await (await ask('chat/customer-support/', { nickname })).json();
    return {
        share: async (name, text, about = '') => {
            const file = new File([text], name);
            const fields = { secureKey, 'userData[file-description]': about, file };
            const answer = await (await ask('chat-ntf', fields)).json();
            assert.equal(answer.statusCode, 0);
            return answer.userData['file-id'];
        },
        load: async (fileId) => ask('chat-ntf', { operation: 'fileDownload', secureKey, fileId }),
        events: async (type) => {
            const path = `chat/customer-support/${chatId}/refresh`;
            const { messages } = await (await ask(path, { secureKey, transcriptPosition: '1' })).json();
            return messages.filter((message) => message.type === type);
        },
    };
}

async function bothWays(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await visitor(server.base, 'Vera');
    await anna.accept('Vera');

    await vera.share('bill.txt', 'forty-two');
    const theirs = anna.part('file').filter({ hasText: 'bill.txt' });
    await theirs.waitFor();
    assert.match(await theirs.locator('.bubble').textContent(), /9 bytes/);
    const [download] = await Promise.all([
        anna.page.waitForEvent('download'),
        theirs.locator('[data-test="file-link"]').press('Enter'),
    ]);
    assert.equal(download.suggestedFilename(), 'bill.txt');
    assert.equal(await readFile(await download.path(), 'utf8'), 'forty-two');

    await anna.attach('answer.txt', 'paid');
    const [event] = await until('Vera is told of the file', async () => {
        const events = await vera.events('FileUploaded');
        return events.length === 2 && events.slice(1);
    });
    assert.deepEqual({ ...event.userData, 'file-id': '' }, { 'file-id': '', 'file-name': 'answer.txt', 'file-size': '4' });
    assert.equal(await (await vera.load(event.userData['file-id'])).text(), 'paid');

    await anna.attach('run.exe', 'MZ');
    await until('Anna is told why not', async () =>
        (await anna.page.locator('[data-test="notice"]').allTextContents()).some((text) => text.includes('run.exe')),
    );
    await anna.part('file-delete').press('Enter');
    await until('Vera is told that it is gone', async () => (await vera.events('FileDeleted')).length === 1);
    await anna.sees('You deleted answer.txt');
    await until('the keyboard is not lost with the button', () =>
        anna.page.evaluate(() => document.activeElement?.dataset.test === 'composer'),
    );
    assert.equal((await vera.load(event.userData['file-id'])).status, 404);
}

/* A file's name may be as long as its sender likes, and it may say what it is about. */
async function longNames(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await visitor(server.base, 'Vera');
    await anna.accept('Vera');
    await anna.page.setViewportSize({ width: 320, height: 640 });
    await vera.share(`${'scan-of-the-bill-'.repeat(12)}.txt`, 'forty-two', 'The bill of <b>October</b>');
    const bubble = anna.part('file').locator('.bubble');
    await bubble.filter({ hasText: 'The bill of <b>October</b>' }).waitFor();
    const icon = await bubble.locator('.icon').boundingBox();
    const link = await bubble.locator('[data-test="file-link"]').boundingBox();
    assert.ok(link.x >= icon.x + icon.width && link.y <= icon.y + icon.height, 'the name stands beside its sign');
    const wide = await anna.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 320, `the page is ${wide} pixels wide`);
}

export const files = [
    { name: 'files: both ways, and deleted', run: bothWays },
    { name: 'files: long names and descriptions on a narrow desk', run: longNames },
];
