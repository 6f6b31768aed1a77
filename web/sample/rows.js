/* How an event of the chat reads as a line of the conversation. */
window.Halley = window.Halley || {};

(function (halley) {
    'use strict';

    /*
     * Returns {index, from, who, text, link, time, iso} with from "own", "other" or "system", or null
     * for events that are no line of the conversation (typing, for one).
     */
    halley.rowOf = function (event, own) {
        const name = event.from.nickname || 'Somebody';
        const date = new Date(event.utcTime);
        const row = {
            index: event.index,
            from: own ? 'own' : 'other',
            who: own ? 'You' : name,
            text: event.text || '',
            link: '',
            time: date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'}),
            iso: date.toISOString()
        };
        const system = (text) => Object.assign(row, {from: 'system', who: '', text: text});

        switch (event.type) {
        case 'ParticipantJoined':
            return system(name + ' joined');
        case 'ParticipantLeft':
            return system(name + ' left');
        case 'Message':
            return event.from.type === 'External' ? system(row.text) : row;
        case 'PushUrl':
            // Anything but a web address stays plain text.
            row.link = /^https?:\/\//i.test(row.text) ? row.text : '';
            return row;
        case 'FileUploaded':
            return system(name + ' sent the file ' + ((event.userData || {})['file-name'] || ''));
        case 'IdleAlert':
        case 'IdleClose':
            return system(row.text);
        default:
            return null;
        }
    };
})(window.Halley);
