package tape

import "strings"

// This file is all that may be written in clear. A name or a value that is not
// here becomes a token, so what is forgotten here is hidden, not shown.

func set(words string) map[string]bool {
	s := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		s[w] = true
	}
	return s
}

// names are the names of fields that may be written.
var names = set(`
	channel clientId id data ext advice successful error subscription version minimumVersion timestamp
	supportedConnectionTypes connectionType reconnect interval timeout maxInterval hosts reestablish multiple-clients
	ack timesync tc ts p a l o lazy authenticated failure
	operation secureKey chatId userId alias auth encoded username password nickname firstName lastName subject Subject emailAddress text
	userData endpoint message messageType eventAttributes transcriptPosition pushUrl userAlias customerRequest
	push_notification_deviceid push_notification_type push_notification_language push_notification_provider push_notification_debug
	statusCode messages chatEnded nextPosition errors code advice idleTimerExpire from index type utcTime participantId
	file fileId file-id file-name file-size file-type file-source file-document-id file-description jsonp
	upload-max-files upload-max-file-size upload-max-total-size upload-file-types upload-need-agent delete-file download-attempts
	used-upload-max-files used-upload-max-total-size used-download-attempts
	next-idle-timer-type next-idle-timer-secs purpose general-properties related-event-id GCTI_SYSTEM party-info style
	structured-content genesys-chat content halley-id halley-displaced
	GCTI_LanguageCode GCTI_Chat_AsyncMode GCTI_Chat_PushSubscribe GCTI_GMS_NodeGroup GCTI_GMS_PushDeviceId GCTI_GMS_PushDeviceType
	GCTI_GMS_NotifyRequestor GCTI_GMS_PushIncludePayload GCTI_GMS_PushProvider GCTI_GMS_PushResend TimeZone
	_genesys_source _genesys_referrer _genesys_url _genesys_pageTitle _genesys_browser _genesys_OS _genesys_widgets
	FirstName LastName EmailAddress MediaType IdentifyCreateContact ChatServerAppName Survey_URL Cancel_URL`)

// values are the strings that a field may have in clear.
var values = map[string]map[string]bool{
	"operation": set(`requestChat sendMessage startTyping stopTyping requestNotifications refresh updateNickname updateData pushUrl
		customNotice readReceipt disconnect fileGetLimits fileGetsLimits fileUpload fileDownload fileDelete`),
	"type": set(`ParticipantJoined ParticipantLeft Message PushUrl TypingStarted TypingStopped NicknameUpdated FileUploaded FileDeleted
		CustomNotice Notice IdleAlert IdleClose Client Agent Supervisor External Bot`),
	"messageType":                 set("text"),
	"reconnect":                   set("retry handshake none"),
	"connectionType":              transports,
	"supportedConnectionTypes":    transports,
	"version":                     set("1.0 1.0beta"),
	"minimumVersion":              set("1.0 1.0beta 0.9"),
	"text":                        set("file-client-cfg-get"),
	"purpose":                     set("cancel-idle-timer"),
	"style":                       set("BOT"),
	"next-idle-timer-type":        set("ALERT CLOSE"),
	"push_notification_type":      pushes,
	"GCTI_GMS_PushDeviceType":     pushes,
	"push_notification_debug":     booleans,
	"upload-need-agent":           booleans,
	"GCTI_Chat_AsyncMode":         booleans,
	"GCTI_Chat_PushSubscribe":     booleans,
	"GCTI_GMS_PushIncludePayload": booleans,
}

var (
	transports = set("websocket long-polling callback-polling iframe")
	pushes     = set("fcm gcm ios android customhttp httpcb orscb comet")
	booleans   = set("true false")
)

// numbers are the fields whose small numbers are written, also as strings, and
// the largest that is.
var numbers = map[string]int64{
	"statusCode": 9, "code": 99_999, "index": 999_999, "participantId": 999, "nextPosition": 999_999, "transcriptPosition": 999_999,
	"interval": 9_999_999, "timeout": 9_999_999, "maxInterval": 9_999_999, "idleTimerExpire": 99_999, "id": 999_999, "ack": 999_999,
}

// formNumbers are those of them that a form has.
var formNumbers = set("transcriptPosition")

// free are the objects whose fields are the site's own.
var free = set("userData eventAttributes")

// sorts are the sorts of tokens of fields that are not texts.
var sorts = map[string]string{
	"secureKey": Key, "clientId": Session, "chatId": Chat, "userId": User, "alias": Alias, "fileId": FileID, "file-id": FileID,
	"push_notification_deviceid": device, "GCTI_GMS_PushDeviceId": device, "auth": secret, "encoded": secret, "username": secret,
	"password": secret, "timestamp": date, "id": id, "operation": word, "type": word, "reconnect": word, "connectionType": word,
	"supportedConnectionTypes": word, "version": word, "minimumVersion": word,
}

// The parts of paths that are written.
var (
	cometdSteps = set("handshake connect disconnect subscribe unsubscribe publish")
	chatSteps   = set(`send refresh startTyping stopTyping disconnect pushUrl updateNickname updateData customNotice readReceipt
		file limits download delete sendMessage requestNotifications`)
)

var (
	methods    = set("GET POST PUT DELETE OPTIONS HEAD PATCH")
	mediaTypes = set(`application/json application/x-www-form-urlencoded multipart/form-data text/plain text/html text/json text/javascript
		application/javascript application/octet-stream image/png image/jpeg image/gif application/pdf application/zip`)
	extensions  = set(`png jpg jpeg gif pdf zip txt doc docx xls xlsx csv bmp heic log mov mp3 mp4 odp ods odt ppt pptx rtf tif tiff wav webp`)
	cookieNames = set("BAYEUX_BROWSER")
	// Headers that hold what opens the site's own doors.
	secretHeaders = []string{"Authorization", "apikey", "x-api-key", "gms_user", "ContactCenterId"}
)
