package media

import (
	"bytes"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/halley-chat/halley/internal/chat"
)

// headSize is how much of a file's beginning says what it is, in bytes.
const headSize = 4 << 10

// kind is one sort of file, known by the extension of its name.
type kind struct {
	mime string
	is   func(head []byte) bool
}

// kinds are the sorts of files that can be allowed, by extension. The content
// decides: a file is of a kind if its beginning is.
var kinds = map[string]kind{
	"jpg":  sniffed("image/jpeg"),
	"jpeg": sniffed("image/jpeg"),
	"png":  sniffed("image/png"),
	"gif":  sniffed("image/gif"),
	"webp": sniffed("image/webp"),
	"bmp":  sniffed("image/bmp"),
	"tif":  {"image/tiff", begins("II*\x00", "MM\x00*")},
	"tiff": {"image/tiff", begins("II*\x00", "MM\x00*")},
	"heic": {"image/heic", brand("heic", "heix", "mif1", "msf1")},
	"pdf":  sniffed("application/pdf"),
	"txt":  {"text/plain; charset=utf-8", plain},
	"log":  {"text/plain; charset=utf-8", plain},
	"csv":  {"text/csv; charset=utf-8", plain},
	"rtf":  {"application/rtf", begins(`{\rtf`)},
	"zip":  sniffed("application/zip"),
	"doc":  {"application/msword", begins(compound)},
	"xls":  {"application/vnd.ms-excel", begins(compound)},
	"ppt":  {"application/vnd.ms-powerpoint", begins(compound)},
	"docx": {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", openXML},
	"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", openXML},
	"pptx": {"application/vnd.openxmlformats-officedocument.presentationml.presentation", openXML},
	"odt":  openDocument("application/vnd.oasis.opendocument.text"),
	"ods":  openDocument("application/vnd.oasis.opendocument.spreadsheet"),
	"odp":  openDocument("application/vnd.oasis.opendocument.presentation"),
	"mp3":  {"audio/mpeg", begins("ID3", "\xff\xfb", "\xff\xf3", "\xff\xf2")},
	"wav":  {"audio/wav", func(head []byte) bool { return http.DetectContentType(head) == "audio/wave" }},
	"mp4":  {"video/mp4", brand("")},
	"mov":  {"video/quicktime", brand("qt  ")},
}

// aliases are other extensions of files of a kind, some of which browsers give
// what they save. Whoever allows the kind allows them.
var aliases = map[string][]string{
	"jpg": {"jpeg"}, "jpeg": {"jpg"}, "jfif": {"jpg", "jpeg"}, "jpe": {"jpg", "jpeg"}, "pjpeg": {"jpg", "jpeg"},
	"tif": {"tiff"}, "tiff": {"tif"}, "heif": {"heic"}, "dib": {"bmp"},
}

// compound is how the older office files begin.
const compound = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// Kinds are the extensions of all sorts of files that can be allowed, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

func sniffed(mime string) kind {
	return kind{mime, func(head []byte) bool { return http.DetectContentType(head) == mime }}
}

func begins(magic ...string) func([]byte) bool {
	return func(head []byte) bool {
		return slices.ContainsFunc(magic, func(m string) bool { return bytes.HasPrefix(head, []byte(m)) })
	}
}

// brand knows the family of MP4 files, "" any of it, by what the first chatDir
// says.
func brand(names ...string) func([]byte) bool {
	return func(head []byte) bool {
		if len(head) < 12 || string(head[4:8]) != "ftyp" {
			return false
		}
		return slices.ContainsFunc(names, func(n string) bool { return n == "" || string(head[8:12]) == n })
	}
}

// plain is text, in whatever character set, that a browser would not take for a
// page.
func plain(head []byte) bool {
	binary := func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\n\r\f\x1b", c) }
	return http.DetectContentType(head) == "text/plain; charset=utf-8" && bytes.IndexFunc(head, binary) < 0
}

// openXML is a ZIP file whose first entry is one of those with which office
// files begin.
func openXML(head []byte) bool {
	name, _ := firstEntry(head)
	return slices.ContainsFunc([]string{"[Content_Types].xml", "_rels/", "docProps/", "word/", "xl/", "ppt/"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// openDocument is a ZIP file that begins with an entry which names the type.
func openDocument(mime string) kind {
	return kind{mime, func(head []byte) bool {
		name, rest := firstEntry(head)
		return name == "mimetype" && bytes.HasPrefix(rest, []byte(mime))
	}}
}

// firstEntry is the name of a ZIP file's first entry and what follows it.
func firstEntry(head []byte) (name string, rest []byte) {
	const fixed = 30
	if len(head) < fixed || !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return "", nil
	}
	n, extra := int(head[26])|int(head[27])<<8, int(head[28])|int(head[29])<<8
	if len(head) < fixed+n {
		return "", nil
	}
	return string(head[fixed : fixed+n]), head[min(fixed+n+extra, len(head)):]
}

// classify finds out what a file is: of the sort that its name says, if that is
// allowed and its content agrees. A name without an extension gets the one
// that the content says.
func classify(allowed []string, name string, head []byte) (newName, mime string, err error) {
	refuse := chat.Refuse(chat.WrongType, "files of this type are not taken")
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if ext == "" {
		for _, e := range allowed {
			if k := kinds[e]; k.is != nil && k.is(head) {
				return shorten(name, "."+e), k.mime, nil
			}
		}
		return "", "", refuse
	}
	for _, e := range append([]string{ext}, aliases[ext]...) {
		if k, ok := kinds[e]; ok && slices.Contains(allowed, e) && k.is(head) {
			return name, k.mime, nil
		}
	}
	return "", "", refuse
}

// cleanName makes a name that does no harm wherever it is written: the last
// element of a path, without control characters, marks that change the
// direction of text, and what means something to a shell or a file system. It
// is never empty and at most chat.MaxName bytes long.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		case !unicode.IsGraphic(r) || r == utf8.RuneError, unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		}
		return r
	}, name)
	name = strings.Trim(strings.TrimSpace(name), ".")
	if name = strings.TrimSpace(name); name == "" {
		name = "file"
	}
	ext := path.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	return shorten(strings.TrimSuffix(name, ext), ext)
}

// shorten cuts a name so that it fits with its extension.
func shorten(stem, ext string) string {
	for most := chat.MaxName - len(ext); len(stem) > most; {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	return stem + ext
}
