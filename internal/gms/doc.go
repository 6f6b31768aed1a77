// Package gms is the edge that speaks the Chat API Version 2 of Genesys
// Mobile Services: the CometD side, on the channel /service/chatV2/{service}.
// Genesys' words (secureKey, transcriptPosition, ParticipantJoined) are used
// here and nowhere else.
//
// An operation comes in as a publish; its outcome goes out as a notification
// on the same channel, ahead of the acknowledgement of the publish.
package gms
