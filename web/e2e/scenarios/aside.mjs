/* What the desk has besides the conversation: lines for staff alone, and what programs tell each other. */
import assert from 'node:assert/strict';
import { visitorTranscript } from '../harness/transcript.mjs';
import { until } from '../harness/until.mjs';
import { graveIn } from './access.mjs';

// Every remark for staff begins like this and nothing else does, so that the first letters of one are known too.
const MARK = 'Psst';

/* Everything that a visitor's page is sent over its WebSocket, as text. */
function listen(page) {
    const frames = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
    return frames;
}

async function forStaffAlone(stage) {
    const server = await stage.server();
    const [anna, ben] = [await stage.agent(server.base, 'anna'), await stage.agent(server.base, 'ben')];
    await anna.goReady();
    const vera = await stage.newVisitor('Vera');
    const frames = listen(vera.page);
    await vera.load(`${server.base}/sample/`);
    await vera.start();
    const chat = await anna.accept('Vera');
    await vera.say('I was charged twice');
    await anna.sees('I was charged twice');
    const keys = anna.page.keyboard;
    const field = () => anna.part('composer').inputValue();

    // A chat begins with everybody; the choice moves no text, and what is undone does not either.
    await anna.writesFor('all');
    await keys.press('Alt+P');
    await anna.writesFor('staff');
    assert.equal(await anna.part('attach').isVisible(), false, 'a file would go to the customer');
    await keys.type(`${MARK}, she may`);
    await keys.press('Alt+L');
    await anna.writesFor('all');
    assert.equal(await field(), '');
    await keys.type('Hm');
    for (let i = 0; i < 4; i++) await keys.press('Control+Z');
    assert.ok(!(await field()).includes(MARK), 'undo brings nothing of another audience');
    await keys.press('Alt+P');
    await anna.writesFor('staff');
    await keys.type(' be right');
    await keys.press('Enter');
    await anna.sees(`${MARK}, she may be right`);

    // Sending changes nothing: a second remark would go to the customer otherwise.
    await anna.writesFor('staff');
    await anna.say(`${MARK}, twice on the 3rd`);
    await anna.sees(`${MARK}, twice on the 3rd`);
    const remarks = anna.page.locator('[data-test="message"][data-audience="staff"]');
    assert.equal(await remarks.count(), 2);
    assert.equal(await remarks.first().locator('[data-test="aside"]').textContent(), 'Staff only');
    assert.deepEqual(await graveIn(anna.page, 'a desk that writes for staff'), []);

    await keys.type(`${MARK}, and`);
    await anna.part('audience-all').click();
    await anna.say('One moment, please');
    await vera.sees('One moment, please');
    await keys.press('Alt+P');
    await anna.page.reload();
    await anna.isConnected();
    await anna.isIn(chat);
    await anna.sees(`${MARK}, twice on the 3rd`);
    await anna.writesFor('staff');
    assert.equal(await field(), `${MARK}, and`, 'the draft and whom it is for outlive a reload');
    assert.equal(await remarks.count(), 2);

    // On a narrow desk, too.
    await anna.page.setViewportSize({ width: 320, height: 640 });
    await anna.part('audience-all').click();
    await anna.writesFor('all');
    await anna.sayToStaff(`${MARK}, from a telephone`);
    await anna.sees(`${MARK}, from a telephone`);
    const wide = await anna.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 320, `the page is ${wide} pixels wide`);

    // Whoever takes over reads it all.
    await ben.goReady();
    await anna.leave();
    await ben.accept('Vera');
    for (const text of ['she may be right', 'twice on the 3rd', 'from a telephone']) {
        await ben.sees(`${MARK}, ${text}`);
    }
    assert.equal(await ben.page.locator('[data-test="message"][data-audience="staff"]').count(), 3);
    await ben.writesFor('all');

    // An echo of her own comes after everything that was sent before.
    await vera.say('Are you there?');
    await vera.isSettled();
    assert.deepEqual(
        frames.filter((frame) => frame.includes(MARK)),
        [],
        'nothing of it was sent to the visitor, no preview either',
    );
    assert.ok(
        frames.some((frame) => frame.includes('One moment, please')),
        'what was sent is listened to',
    );
    assert.ok(!(await vera.page.content()).includes(MARK));
    const key = await vera.key();
    await vera.page.reload();
    await vera.isConnected();
    await vera.sees('Are you there?');
    assert.ok(!(await vera.page.content()).includes(MARK), 'nor after a reload');
    assert.ok(!JSON.stringify(await visitorTranscript(server, key)).includes(MARK));
}

/* Without a connection a remark waits as one, and goes out as one. */
async function heldBack(stage) {
    const server = await stage.server();
    const proxy = await stage.proxy(server);
    const anna = await stage.agent(proxy.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    await anna.accept('Vera');
    proxy.cut();
    await until('the desk knows', async () => (await anna.part('connection').getAttribute('data-phase')) !== 'up');
    await anna.sayToStaff(`${MARK}, while away`);
    const waiting = anna.page.locator('[data-test="message"][data-state][data-audience="staff"]');
    await until('the remark waits', async () => (await waiting.count()) === 1);
    await anna.part('audience-all').click();
    await anna.say('I am back');
    proxy.mend();
    await vera.sees('I am back');
    await anna.isSettled();
    assert.equal(await anna.page.locator('[data-test="message"][data-audience="staff"]').count(), 1);
    assert.ok(!(await vera.page.content()).includes(MARK));
}

/* A visitor's program, over REST. */
async function program(base, nickname) {
    const ask = async (path, fields) => {
        const body = new URLSearchParams(fields);
        const answer = await fetch(`${base}/genesys/2/chat/customer-support${path}`, { method: 'POST', body });
        assert.equal(answer.status, 200);
        return answer.json();
    };
    const { chatId, secureKey } = await ask('', { nickname });
    return (operation, fields) => ask(`/${chatId}/${operation}`, { secureKey, ...fields });
}

async function toldByPrograms(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const does = await program(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    await does('send', { message: 'before' });
    await does('customNotice', { message: 'the <b>cart</b> changed', eventAttributes: '{"items":3}' });
    await does('customNotice', { message: 'checkout' });
    await does('pushUrl', { pushUrl: 'https://shop.example/a?b=c' });
    await does('updateNickname', { nickname: 'Mia' });
    await does('send', { message: 'after' });
    await anna.sees('after');

    const seen = async () => {
        const told = anna.part('program-notices');
        assert.equal(await told.count(), 1, 'notices that follow each other are folded');
        const summary = told.locator('summary');
        assert.match(await summary.textContent(), /^A notice from Vera: checkout · 2 notices$/);
        await summary.press('Enter');
        await told.getByText('A notice from Vera: the <b>cart</b> changed').waitFor();
        assert.deepEqual(JSON.parse(await told.locator('pre').textContent()), { items: 3 });
        await anna.sees('Vera is now called Mia');
        const shown = anna.page.getByRole('link', { name: 'https://shop.example/a?b=c' });
        assert.equal(await shown.getAttribute('rel'), 'noopener noreferrer');
        assert.deepEqual(await anna.page.locator('.line-name').allTextContents(), ['Vera', 'Mia']);
    };
    await seen();
    assert.deepEqual(await graveIn(anna.page, 'a desk with notices'), []);
    await anna.page.reload();
    await anna.isConnected();
    await anna.isIn(chat);
    await anna.sees('after');
    await seen();
}

export const aside = [
    { name: 'aside: lines for staff alone are kept from the visitor', run: forStaffAlone },
    { name: 'aside: a line for staff that waits for the connection', run: heldBack },
    { name: 'aside: what programs tell is in the transcript', run: toldByPrograms },
];
