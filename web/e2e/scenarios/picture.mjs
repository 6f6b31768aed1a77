/* The picture of the desk that the README shows: a real one, of a desk with some work on it. */
import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent } from '../harness/agent.mjs';
import { openVisitor } from '../harness/bayeux.mjs';
import { until } from '../harness/until.mjs';

const PATH = fileURLToPath(new URL('../../../docs/images/desk.png', import.meta.url));
const LARGEST = 300_000;

const marta = {
    nickname: 'Marta Lindqvist',
    firstName: 'Marta',
    lastName: 'Lindqvist',
    emailAddress: 'marta@lindqvist.example',
    subject: 'Parcel 4417 has not arrived',
    userData: {
        order: '4417',
        page: 'https://shop.example/orders/4417',
        language: 'English',
        device: 'Phone, 412 × 915',
    },
};

async function takePicture(stage) {
    const server = await stage.server({ offer: '30s' });
    const context = await stage.context({
        viewport: { width: 1440, height: 900 },
        locale: 'en-GB',
        colorScheme: 'light',
        reducedMotion: 'reduce',
    });
    const anna = new Agent(stage, await stage.page(context, 'anna'), 'anna');
    await anna.signIn(server.base);
    await anna.goReady();

    const visitors = [];
    const comes = async (opening) => {
        const visitor = await openVisitor(server.base, 'customer-support', opening);
        visitors.push(visitor);
        return visitor;
    };
    const hears = async (visitor, text) => {
        await visitor.say(text);
        await anna.sees(text);
    };
    const says = async (text) => {
        await anna.say(text);
        await anna.isSettled();
    };
    try {
        const tomas = await comes({ nickname: 'Tomás Ferreira', subject: 'Invoice for October' });
        const invoice = await anna.accept('Tomás');
        await hears(tomas, 'Good morning, I need the October invoice once more.');
        await says('Good morning! Shall I send it to the same address?');
        await hears(tomas, 'No, to our new office please.');

        const aiko = await comes({ nickname: 'Aiko Tanaka', subject: 'Change my delivery address' });
        await anna.accept('Aiko');
        await hears(aiko, 'Can you send it to my neighbour instead?');
        await says('Done. It goes to number 14 now.');

        const customer = await comes(marta);
        const parcel = await anna.accept('Marta');
        await hears(customer, 'Hello, my parcel was due on Friday and it is still not here.');
        await says('Hello Marta, let me look.');
        await says(
            'It left our house on Wednesday and has been with the carrier in Malmö since: https://track.example/4417',
        );
        await hears(customer, 'That explains it. Will it come before the weekend?');
        await until(
            'a line has waited for its answer for long',
            async () => (await anna.row(invoice).getAttribute('data-heat')) === 'warn',
            { timeout: 60_000 },
        );
        await says('Yes, the carrier promises it for tomorrow between 9 and 12.');
        await hears(customer, 'Wonderful, thank you for looking into it so quickly!');

        await comes({ nickname: 'Jonas Weber', subject: 'Cannot sign in on my phone' });
        await anna.isOffered('Jonas');
        await comes({ nickname: 'Priya Nair', subject: 'Return of two chairs' });
        await comes({ nickname: 'Elif Kaya', subject: 'Open on Sunday?' });
        const waiting = anna.part('list-waiting').locator('li');
        await until('two more wait', async () => (await waiting.count()) >= 2);
        await anna.isIn(parcel);
        const ring = anna.part('offer').getByRole('timer');
        await until('the offer has rung for a while', async () =>
            /^2[0-2] /.test(await ring.getAttribute('aria-label')),
        );
        await customer.types('One more thing: can I still');
        await anna.part('typing-preview').filter({ hasText: 'One more thing' }).waitFor();
        await mkdir(dirname(PATH), { recursive: true });
        await anna.page.screenshot({ path: PATH });
    } finally {
        await Promise.all(visitors.map((visitor) => visitor.close()));
    }
    const { size } = await stat(PATH);
    assert.ok(size < LARGEST, `the picture has ${size} bytes`);
}

export const picture = [{ name: 'picture: a desk at work', run: takePicture }];
