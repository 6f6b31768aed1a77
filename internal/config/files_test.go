package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func withFiles(lines string) string {
	return "[services.s]\n" + lines + "\n[queues.s]\nmembers = [\"*\"]\n"
}

func TestFilesAreOffUnlessConfigured(t *testing.T) {
	c, err := Parse([]byte(withFiles("")))
	if err != nil || c.Services["s"].Files != nil || Default().Services["customer-support"].Files != nil {
		t.Errorf("got %+v, %v, want no files for it nor by default", c.Services["s"], err)
	}
	for name, s := range Demo(0).Services {
		if s.Files == nil || s.Files.MaxFiles != DefaultMaxFiles {
			t.Errorf("the demo's %s takes %+v", name, s.Files)
		}
	}
}

func TestFileDefaults(t *testing.T) {
	for lines, want := range map[string]Files{
		"[services.s.files]": {
			MaxFiles: 3, MaxFileSize: 2097152, MaxTotalSize: 5242880, Types: DefaultFileTypes(), DownloadAttempts: 10, DeleteFile: "odd",
		},
		`[services.s.files]
upload_max_files = 5
upload_max_file_size = 10485760
upload_max_total_size = 99614720
upload_file_types = ["jpeg", "jpg", "pdf", "png", "zip"]
upload_need_agent = true
download_attempts = 2
delete_file = "x"
[services.s.files.scan]
command = ["clamdscan", "--fdpass", "--no-summary", "-"]`: {
			MaxFiles: 5, MaxFileSize: 10485760, MaxTotalSize: 99614720, Types: []string{"jpeg", "jpg", "pdf", "png", "zip"}, NeedAgent: true,
			DownloadAttempts: 2, DeleteFile: "x",
			Scan: &Scan{Command: []string{"clamdscan", "--fdpass", "--no-summary", "-"}, Within: Duration(10 * time.Second)},
		},
		"[services.s.files]\nupload_max_file_size = 10485760\n[services.s.files.scan]\nurl = \"http://127.0.0.1:1/scan\"\nwithin = \"30s\"": {
			MaxFiles: 3, MaxFileSize: 10485760, MaxTotalSize: 10485760, Types: DefaultFileTypes(), DownloadAttempts: 10, DeleteFile: "odd",
			Scan: &Scan{URL: "http://127.0.0.1:1/scan", Within: Duration(30 * time.Second)},
		},
	} {
		t.Run(lines, func(t *testing.T) {
			c, err := Parse([]byte(withFiles(lines)))
			if err != nil {
				t.Errorf("parsing %s: got %v, want no error", lines, err)
				return
			}
			if diff := cmp.Diff(&want, c.Services["s"].Files); diff != "" {
				t.Errorf("%s (-want +got):\n%s", lines, diff)
			}
		})
	}
}

func TestFileFaults(t *testing.T) {
	for lines, want := range map[string]string{
		"upload_max_files = 101":                            "services.s.files.upload_max_files: 101 is not between 1 and 100",
		"upload_max_files = -1":                             "services.s.files.upload_max_files: -1",
		"upload_max_file_size = -1":                         "services.s.files.upload_max_file_size: -1",
		"upload_max_total_size = 10":                        "services.s.files.upload_max_file_size: one file may be larger",
		"download_attempts = 1001":                          "services.s.files.download_attempts: 1001",
		`upload_file_types = ["exe"]`:                       `services.s.files.upload_file_types: "exe" is not known`,
		`upload_file_types = ["PDF"]`:                       `services.s.files.upload_file_types: "PDF" is not known`,
		`upload_file_types = ["pdf", "pdf"]`:                `"pdf" stands there twice`,
		`delete_file = "` + strings.Repeat("x", 65) + `"`:   "services.s.files.delete_file: it is longer",
		"[services.s.files.scan]":                           "services.s.files.scan: either a command or a url",
		"scan = {command = [\"a\"], url = \"http://b\"}":    "services.s.files.scan: either a command or a url",
		"scan = {command = [\"\"]}":                         "services.s.files.scan.command: the program has no name",
		"scan = {url = \"ftp://b\"}":                        "services.s.files.scan.url: it is not an http",
		"scan = {url = \"http://b\", within = \"2m\"}":      "services.s.files.scan.within: 2m0s is not between",
		"scan = {url = \"http://b\", patience = \"2m\"}":    `patience"`,
		"upload_max_size = 1":                               `there is no setting "services.s.files.upload_max_size"`,
		"upload_file_types = [\"pdf\"]\nupload_type = \"\"": `4:1: there is no setting`,
	} {
		t.Run(lines, func(t *testing.T) {
			_, err := Parse([]byte(withFiles("[services.s.files]\n" + lines)))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", lines, err, want)
			}
		})
	}
}
