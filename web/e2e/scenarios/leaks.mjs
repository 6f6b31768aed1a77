/* Ways in which a line for staff alone could get before the visitor: none of them may work. */
import assert from 'node:assert/strict';
import { transcript, visitorTranscript } from '../harness/transcript.mjs';
import { until } from '../harness/until.mjs';

/* Everything that a page is sent from now on, whatever it makes of it. */
function overhear(page) {
    const heard = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => heard.push(String(payload))));
    page.on('response', (response) => {
        if (!response.url().includes('/genesys/')) return;
        response.text().then(
            (text) => heard.push(text),
            () => undefined, // a page that went away
        );
    });
    return () => heard.join('\n');
}

async function inChat(stage, base) {
    const anna = await stage.agent(base, 'anna');
    await anna.goReady();
    const vera = await stage.newVisitor('Vera');
    const heard = overhear(vera.page);
    await vera.load(`${base}/sample/`);
    await vera.start();
    const chat = await anna.accept('Vera');
    await anna.say('Good morning');
    await vera.sees('Good morning');
    return { anna, vera, chat, heard };
}

/* Whatever is for staff begins with this, so that the first letters of it would give a preview away. */
const MARK = 'Qzj';

async function neverTold(stage, { vera, anna, heard, server, chat }) {
    await anna.say('And good bye');
    await vera.sees('And good bye'); // what was before it has come too
    assert.ok(heard().includes('And good bye'), 'what the page hears is overheard');
    assert.ok(!heard().includes(MARK), 'nothing of a staff line was sent to the visitor');
    assert.ok(!(await vera.page.content()).includes(MARK));
    const read = JSON.stringify(await visitorTranscript(server, await vera.key()));
    assert.ok(read.includes('And good bye') && !read.includes(MARK), 'and none is in what it reads back');
    const asides = (await transcript(server, anna, chat)).filter((event) => event.text?.includes(MARK));
    assert.ok(
        asides.every((event) => event.audience === 'staff'),
        'every one is for staff in the log',
    );
    return asides.map((event) => event.text);
}

/* Letters by keyboard, as a person types them, with the switch in between. */
async function byHand(stage) {
    const server = await stage.server();
    const all = { server, ...(await inChat(stage, server.base)) };
    const { anna, vera } = all;
    const keys = anna.page.keyboard;
    await anna.part('composer').focus();
    await keys.type('One mom');
    await until('Vera is told that Anna types', async () => (await vera.part('typing').textContent()) !== '');
    await keys.press('Alt+P');
    await until('and that it is over', async () => (await vera.part('typing').textContent()) === '');
    await keys.type(`${MARK} is rude`, { delay: 120 });
    assert.equal(await vera.part('typing').textContent(), '', 'what is typed for staff is no typing to Vera');
    // What was begun for one is not what is begun for the other, also when the browser is asked to undo.
    await keys.press('Alt+L');
    assert.equal(await anna.part('composer').inputValue(), 'One mom');
    for (let i = 0; i < 5; i++) await keys.press('Control+Z');
    assert.ok(!(await anna.part('composer').inputValue()).includes(MARK));
    await anna.part('composer').fill('One mom');
    await keys.press('Alt+P');
    assert.equal(await anna.part('composer').inputValue(), `${MARK} is rude`);
    // A second remark after the first one, without a look at the switch.
    await keys.press('Enter');
    await keys.type(`${MARK} again`);
    await keys.press('Enter');
    await anna.sees(`${MARK} again`);
    await keys.press('Alt+L');
    await keys.type('ent');
    await keys.press('Enter');
    await vera.sees('One moment');
    assert.deepEqual(await neverTold(stage, all), [`${MARK} is rude`, `${MARK} again`]);
}

/* The line waits for the connection over a reload, and is sent again. */
async function overAnOutage(stage) {
    const server = await stage.server();
    const proxy = await stage.proxy(server);
    const anna = await stage.agent(proxy.base, 'anna');
    await anna.goReady();
    const vera = await stage.newVisitor('Vera');
    const heard = overhear(vera.page);
    await vera.load(`${server.base}/sample/`);
    await vera.start();
    const chat = await anna.accept('Vera');
    await anna.page.keyboard.press('Alt+P');
    proxy.cut();
    await until('the desk is cut off', async () => (await anna.part('connection').getAttribute('data-phase')) !== 'up');
    await anna.say(`${MARK} while away`);
    const pending = anna.page.locator('[data-test="message"][data-state]');
    await until('the line waits', async () => (await pending.count()) === 1);
    assert.match(await pending.textContent(), /Staff only/);
    await anna.part('composer').fill(`${MARK} begun`);
    proxy.mend();
    await anna.page.reload();
    await anna.isConnected();
    await anna.isIn(chat);
    await anna.isSettled();
    const line = await anna.sees(`${MARK} while away`);
    const row = anna.page.locator(`[data-test="message"][data-index="${line.index}"]`);
    assert.equal(await row.getAttribute('data-audience'), 'staff');
    assert.match(await row.textContent(), /Staff only/);
    assert.equal(await anna.part('composer').inputValue(), `${MARK} begun`);
    await anna.page.keyboard.press('Enter');
    await anna.sees(`${MARK} begun`);
    await server.kill();
    await server.run();
    await anna.isConnected();
    await vera.isConnected();
    await anna.page.keyboard.press('Alt+L');
    const all = { server, anna, vera, chat, heard };
    assert.deepEqual(await neverTold(stage, all), [`${MARK} while away`, `${MARK} begun`]);
}

export const leaks = [
    { name: 'leaks: a remark typed by hand', run: byHand },
    { name: 'leaks: a remark that waits over an outage, a reload and a kill', run: overAnOutage },
];
