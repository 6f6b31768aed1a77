/* What can be typed or opened and must not stop anything else. */
import assert from 'node:assert/strict';
import { until } from '../harness/until.mjs';

async function longLines(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    await anna.accept('Vera');

    // Longer than the Bayeux client's own limit, with what JSON makes longer still, and as long as the server allows.
    const lines = ['\n"long"'.repeat(1_200) + '.', 'x'.repeat(16_384), 'ü'.repeat(8_192)].map((text) => text.trim());
    for (const text of lines) {
        await anna.say(text);
        await vera.sees(text);
    }
    await vera.say(lines[1]);
    await anna.sees(lines[1]);
    await anna.isSettled();
    await vera.isSettled();

    for (const person of [anna, vera]) {
        await person.part('composer').fill('ü'.repeat(8_193));
        await until('the field says how much is too much', async () =>
            (await person.part('limit').textContent()).includes('Too long by 2'),
        );
        await person.part('composer').press('Enter');
        assert.equal((await person.part('composer').inputValue()).length, 8_193, 'the text stays where it is');
        await person.say('short again');
    }
    await vera.sees('short again');
    assert.equal(await anna.part('connection').getAttribute('data-phase'), 'up');
}

/* Safari reports the Enter that confirms a conversion with the key code 229 and nothing else. */
async function inputMethods(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    await anna.accept('Vera');
    for (const person of [anna, vera]) {
        await person.part('composer').fill('かんじ');
        await person.part('composer').evaluate((field) => {
            const init = { key: 'Enter', code: 'Enter', keyCode: 229, bubbles: true, cancelable: true };
            field.dispatchEvent(new KeyboardEvent('keydown', init));
        });
        assert.equal(await person.part('composer').inputValue(), 'かんじ');
    }
}

async function twoAgentsInOneBrowser(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    const page = await stage.page(anna.page.context(), 'ben');
    await page.goto(`${server.base}/desk/`);
    // The browser is Anna's, so the second window shows her desk; she signs out there and Ben signs in.
    await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
    await page.reload();
    const { Agent } = await import('../harness/agent.mjs');
    const ben = new Agent(stage, page, 'ben');
    await ben.signIn(server.base);
    await anna.part('login').waitFor();
    assert.equal(await anna.part('composer').count(), 0);
    assert.match(await ben.page.locator('.bar-title').textContent(), /^Ben/);
}

async function duplicatedTab(stage) {
    const server = await stage.server();
    const vera = await stage.visitor(server.base, 'Vera', { service: 'echo' });
    const stored = await vera.page.evaluate(() => sessionStorage.getItem('halley-sample'));
    const page = await stage.page(vera.page.context(), 'the duplicate');
    await page.addInitScript((text) => sessionStorage.setItem('halley-sample', text), stored);
    await page.goto(`${server.base}/sample/?service=echo`);
    await vera.part('displaced').waitFor();
    await vera.hasStatus('This chat is open in another window');
    await vera.say('still mine');
    await vera.isSettled();
    await vera.part('listen').click();
    await vera.isConnected();
    await vera.say('here again');
    await vera.sees('echo: here again');
}

export const limits = [
    { name: 'limits: long lines stop nothing', run: longLines },
    { name: 'limits: an input method sends nothing', run: inputMethods },
    { name: 'limits: two agents in one browser', run: twoAgentsInOneBrowser },
    { name: 'limits: a duplicated tab says so', run: duplicatedTab },
];
