package replay

import (
	"bytes"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// standIn is what a file is called. Where the tape does not tell the extension,
// it has one that no server knows.
func standIn(f *tape.File) string {
	name := f.Name
	if t, ok := tape.ParseToken(name); ok {
		name = t.Sort + "-" + strings.Trim(t.Fill(), " ")
	}
	if f.Ext != "" {
		name += "." + f.Ext
	}
	return name
}

// maxContent bounds a file's stand-in, in bytes.
const maxContent = 256 << 20

// content is something that looks like a file of the type and has its size,
// as far as the first bytes tell a file's type.
func content(f *tape.File) []byte {
	b := bytes.Repeat([]byte{'x'}, int(min(f.Size, maxContent)))
	copy(b, starts[f.Ext])
	return b
}

// starts are how files begin, by extension. Those that are not here are text.
var starts = map[string]string{
	"png": "\x89PNG\r\n\x1a\n", "jpg": jpeg, "jpeg": jpeg, "gif": "GIF89a", "webp": "RIFFxxxxWEBPVP8 ", "bmp": "BM", "tif": tiff, "tiff": tiff,
	"heic": "\x00\x00\x00\x18ftypheic", "mp4": "\x00\x00\x00\x18ftypisom", "mov": "\x00\x00\x00\x18ftypqt  ", "mp3": "ID3", "wav": "RIFFxxxxWAVE",
	"pdf": "%PDF-1.4\n", "rtf": `{\rtf1 `, "zip": zipped("x", ""), "doc": compound, "xls": compound, "ppt": compound,
	"docx": zipped("[Content_Types].xml", ""), "xlsx": zipped("[Content_Types].xml", ""), "pptx": zipped("[Content_Types].xml", ""),
	"odt": zipped("mimetype", openDocument+"text"), "ods": zipped("mimetype", openDocument+"spreadsheet"), "odp": zipped("mimetype", openDocument+"presentation"),
}

const (
	jpeg         = "\xff\xd8\xff\xe0\x00\x10JFIF"
	tiff         = "II*\x00"
	compound     = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" // of the older office files
	openDocument = "application/vnd.oasis.opendocument."
)

// zipped is how a ZIP file begins whose first entry has a name and, without
// being packed, a text.
func zipped(name, text string) string {
	head := make([]byte, 30)
	copy(head, "PK\x03\x04\x14")
	head[18], head[22], head[26] = byte(len(text)), byte(len(text)), byte(len(name))
	return string(head) + name + text
}
