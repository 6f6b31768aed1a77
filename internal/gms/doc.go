// Package gms is the edge that speaks the Chat API Version 2 of Genesys
// Mobile Services, from two sides: CometD, on the channel
// /service/chatV2/{service}, and REST, below /genesys/2/chat/{service}.
// Genesys' words (secureKey, transcriptPosition, ParticipantJoined) are used
// here and nowhere else.
//
// There is one table of operations for both sides. Over CometD an operation
// comes in as a publish, and its outcome goes out as a notification on the
// same channel, ahead of the acknowledgement of the publish; what happens
// later follows without being asked for. Over REST an operation is a POST and
// its outcome is the answer; what happens in between is read by asking again.
package gms
