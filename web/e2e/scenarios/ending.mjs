/* How a chat ends, and how it does not. */
import assert from 'node:assert/strict';
import { assertSame } from '../harness/transcript.mjs';
import { graveIn } from './access.mjs';
import { until } from '../harness/until.mjs';

async function twoInChat(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    await vera.say('A question');
    await anna.sees('A question');
    await anna.say('An answer');
    await vera.sees('An answer');
    await vera.isSettled();
    return { server, anna, vera, chat };
}

/* Both have seen the end, and the agent can put the chat away. */
async function isOver({ server, anna, vera, chat }) {
    await vera.hasStatus('Chat ended');
    await anna.seesEnd();
    assert.equal(await anna.part('composer').isDisabled(), true);
    assert.equal(await vera.part('composer').count(), 0);
    const events = await assertSame(server, vera, anna, chat);
    assert.equal(events.at(-1).type, 'ended');
    assert.equal(events.filter((event) => event.type === 'ended').length, 1);
    await anna.part('done').click();
    await until('the chat is put away', async () => (await anna.row(chat).count()) === 0);
}

async function byTheVisitor(stage) {
    const scene = await twoInChat(stage);
    await scene.vera.end();
    await scene.anna.sees('Vera left');
    await isOver(scene);

    // A reload does not bring the chat back, and Start opens another one.
    await scene.vera.page.reload();
    await scene.vera.start();
    assert.notEqual(await scene.anna.accept('Vera'), scene.chat);
}

async function byTheAgent(stage) {
    const scene = await twoInChat(stage);
    await scene.anna.end();
    await scene.vera.sees('Anna left');
    await isOver(scene);
}

async function leaving(stage) {
    const { server, anna, vera, chat } = await twoInChat(stage);
    const ben = await stage.agent(server.base, 'ben');
    await ben.goReady();
    await anna.part('not-ready').click();
    await anna.hasPresence('Not ready');
    await anna.leave();
    await vera.sees('Anna left');
    await anna.seesEnd();
    await vera.say('Is anybody still there?');
    const waits = ben.page.locator(`[data-test="list-waiting"] [data-chat="${chat}"]`);
    await waits.waitFor();

    assert.equal(await ben.accept('Vera'), chat);
    await until('the chat does not wait any more', async () => (await waits.count()) === 0);
    await vera.sees('Ben joined');
    await ben.sees('Is anybody still there?');
    await ben.say('I am, and I have read the rest');
    await vera.sees('I am, and I have read the rest');
    await vera.isSettled();
    await ben.isSettled();
    await assertSame(server, vera, ben, chat);
    assert.equal((await anna.said()).length, 2, 'what comes later is not for Anna');
}

/* What was typed when the customer ends the chat stays in sight, and the chat is put away with the others. */
async function unsentText(stage) {
    const scene = await twoInChat(stage);
    stage.secret('Half a sent');
    await scene.anna.part('composer').pressSequentially('Half a sent');
    await scene.vera.end();
    await scene.anna.seesEnd();
    assert.match(await scene.anna.part('unsent').textContent(), /Not sent[^]*Half a sent/);
    await scene.anna.part('done').click();
    await until('the chat is put away', async () => (await scene.anna.row(scene.chat).count()) === 0);
}

/* A space or a letter typed on after the chord of End ends nothing, nor does a key that writes a character. */
async function strayKeys(stage) {
    const { anna, vera } = await twoInChat(stage);
    const keys = anna.page.keyboard;
    await keys.press('Alt+E');
    await anna.part('end-confirm').waitFor();
    await keys.press('Space');
    await until('the question is gone', async () => (await anna.part('end-confirm').count()) === 0);
    await anna.part('composer').evaluate((field) => {
        for (const [key, code] of [
            ['€', 'KeyE'],
            ['@', 'KeyL'],
            ['Dead', 'KeyE'],
        ]) {
            field.dispatchEvent(new KeyboardEvent('keydown', { key, code, altKey: true, bubbles: true }));
        }
    });
    assert.equal(await anna.part('end-confirm').count(), 0);
    await anna.say('still here');
    await vera.sees('still here');
}

/* Signing out with a chat in hand asks first, and gives the chat back. */
async function signingOut(stage) {
    const { server, anna, vera } = await twoInChat(stage);
    // Ready before there is a chat to take: one that nobody is ready for goes to the echo bot after some seconds.
    const ben = await stage.agent(server.base, 'ben');
    await ben.goReady();
    await anna.part('sign-out').click();
    await anna.part('sign-out-question').waitFor();
    await anna.page.keyboard.press('Escape');
    await until('the question is gone', async () => (await anna.part('sign-out-question').count()) === 0);
    await anna.say('not yet');
    await vera.sees('not yet');
    await anna.part('sign-out').click();
    await anna.part('sign-out-confirm').click();
    await anna.part('login').waitFor();
    await ben.accept('Vera');
}

/* Whoever left by mistake comes back; on a narrow page the button of the list tells what goes on in it. */
async function comingBack(stage) {
    const { anna, vera, chat } = await twoInChat(stage);
    await anna.part('not-ready').click();
    await anna.hasPresence('Not ready');
    await anna.leave();
    await anna.seesEnd();
    await anna.page.setViewportSize({ width: 320, height: 640 });
    await until('the button of the list tells of the waiting chat', async () =>
        (await anna.part('drawer').getAttribute('aria-label')).includes('1 waiting'),
    );
    assert.deepEqual(await graveIn(anna.page, 'a chat that was left, on a narrow page'), []);
    await anna.part('rejoin').click();
    await anna.part('end').waitFor();
    await anna.say('here I am again');
    await vera.sees('here I am again');
    // The list of waiting chats is told apart from the chats themselves.
    await until('nothing is left to be told', async () => (await anna.part('drawer-badge').count()) === 0);
    await anna.page.setViewportSize({ width: 1280, height: 800 });
    await anna.isIn(chat);
}

export const ending = [
    { name: 'ending: by the visitor', run: byTheVisitor },
    { name: 'ending: by the agent', run: byTheAgent },
    { name: 'ending: what was typed stays in sight', run: unsentText },
    { name: 'ending: stray keys end nothing', run: strayKeys },
    { name: 'ending: signing out asks, and gives the chat back', run: signingOut },
    { name: 'ending: coming back into a chat that was left', run: comingBack },
    { name: 'ending: leaving puts the chat back into the queue', run: leaving },
];
