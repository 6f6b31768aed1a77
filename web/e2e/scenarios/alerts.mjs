/* What calls an agent who looks elsewhere. */
import assert from 'node:assert/strict';
import { until } from '../harness/until.mjs';

/* Stands in the place of the system's notifications, which a browser without a screen does not show. */
function recordNotifications() {
    globalThis.told = [];
    globalThis.Notification = class extends EventTarget {
        static permission = 'granted';
        constructor(title, options) {
            super();
            this.one = { title, tag: options.tag, renotify: options.renotify, closed: false };
            globalThis.told.push(this.one);
        }
        close() {
            this.one.closed = true;
        }
    };
    Document.prototype.hasFocus = () => false;
}

async function notifications(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.page.addInitScript(recordNotifications);
    await anna.page.reload();
    await anna.isConnected();
    const second = await stage.page(anna.page.context(), 'a second window');
    await second.addInitScript(recordNotifications);
    await second.goto(`${server.base}/desk/`);
    await second.locator('[data-test="connection"][data-phase="up"]').waitFor();
    const told = (page) => page.evaluate(() => globalThis.told);

    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    await until('the notification of the offer is closed', async () => (await told(anna.page))[0]?.closed);
    await vera.say('Are you there?');
    const line = await until('a line is told', async () => (await told(anna.page))[1]);
    assert.deepEqual(line, { title: 'Vera', tag: `halley-${chat}`, renotify: true, closed: false });
    assert.deepEqual(await told(second), [], 'the second window tells nothing');
}

export const alerts = [{ name: 'alerts: one window tells of offers and lines', run: notifications }];
