import type { ChatEvent } from '../wire/shapes';

/** Who is who in a chat, learnt from its events one after the other, and whether the visitor is away. */
export class Names {
    private readonly me: number;
    private readonly byNo = new Map<number, string>();
    private readonly byStaff = new Map<number, string>();
    private readonly files = new Map<string, string>();
    /** The visitor's absence has been told and his return has not. */
    away = false;

    constructor(me: number) {
        this.me = me;
    }

    learn(event: ChatEvent): void {
        if (event.type === 'shared') this.files.set(event.file, event.name);
        const from = event.from;
        if (!from) return;
        this.byNo.set(from.no, from.staff === this.me ? 'You' : from.name);
        if (from.staff) this.byStaff.set(from.staff, from.name);
    }

    /** Notes that an event has been put into words. */
    tell(event: ChatEvent): void {
        if (event.type === 'away') this.away = true;
        if (event.type === 'back') this.away = false;
    }

    participant(no: number | undefined): string | undefined {
        return no === undefined ? undefined : this.byNo.get(no);
    }

    file(id: string): string | undefined {
        return this.files.get(id);
    }

    staff(id: number): string {
        if (id === this.me) return 'You';
        return this.byStaff.get(id) ?? 'Another agent';
    }

    visitor(): string {
        return this.byNo.get(1) ?? 'The customer';
    }
}
