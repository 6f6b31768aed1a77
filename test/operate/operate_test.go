package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// document is what is tested.
const document = "../../docs/operate.md"

// waitFor is set in the process that waits for the server for the script.
const waitFor = "OPERATE_WAIT_FOR"

func TestMain(m *testing.M) {
	if address := os.Getenv(waitFor); address != "" {
		id, err := openChat(address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(id)
		return
	}
	os.Exit(m.Run())
}

// openChat waits until a server serves and opens a chat there.
func openChat(address string) (id string, err error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var res *http.Response
		if res, err = http.Get("http://" + address + "/healthz"); err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			return "", err
		}
	}
	res, err := http.PostForm("http://"+address+"/genesys/2/chat/customer-support", url.Values{"nickname": {"Vera"}})
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		ChatID string `json:"chatId"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.ChatID == "" {
		return "", fmt.Errorf("no chat was opened: status %d, %v", res.StatusCode, err)
	}
	return answer.ChatID, nil
}

// The commands of docs/operate.md do what it says, one after the other. The
// server that it starts runs in the background, and a visitor opens a chat
// there, whose id is $CHAT.
func TestEveryCommand(t *testing.T) {
	body, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	commands := blocks(string(body))
	if len(commands) < 10 {
		t.Fatalf("got %d blocks of commands in %s, want 10 and more", len(commands), document)
	}
	dir := t.TempDir()
	address := free(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("trap 'code=$?; [ -z \"${SERVER:-}\" ] || { kill $SERVER; wait $SERVER || code=$?; }; exit $code' EXIT\n")
	served := false
	for _, block := range commands {
		for line := range strings.Lines(block) {
			line = strings.ReplaceAll(line, "127.0.0.1:8080", address)
			if strings.HasPrefix(line, "halley serve ") {
				served = true
				line = strings.TrimSpace(line) + " >server.log 2>&1 &\nSERVER=$!\nCHAT=$(" + waitFor + "=" + address + " '" + self + "')\n"
			}
			script.WriteString(line)
		}
	}
	if !served {
		t.Errorf("%s does not start the server", document)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eux", "-o", "pipefail", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary(t, dir))+":"+os.Getenv("PATH"), "HALLEY_PASSWORD=a long password")
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "server.log"))
		t.Fatalf("the commands of %s end with %v:\n%s\nthe server's log:\n%s", document, err, &out, log)
	}
	for _, want := range []string{
		"halley.toml is in order", "agent anna was added as number 1", "supervisor ben was added as number 2",
		"ben is Ben B., supervisor, with 6 chats at once", "anna has a new password", "ben is disabled", "ben may sign in again",
		" was ended\n", "files with ", "files of the backup of ", "everything is in order",
		"account-disabled", "chat-ended", "the visitor asked us by phone", `"kind":"password-changed"`,
		"entries are as they were written",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the commands of %s have not said %q:\n%s", document, want, &out)
		}
	}
}

// What the documents call a command is one: each that halley has is in the
// document, and nothing in it is unknown.
func TestEveryCommandIsThere(t *testing.T) {
	body, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	bin := binary(t, t.TempDir())
	for _, group := range []string{"agent", "push", "audit", "chat"} {
		out, err := exec.CommandContext(t.Context(), bin, group, "--help").CombinedOutput()
		if err != nil {
			t.Fatalf("halley %s --help: %v\n%s", group, err, out)
		}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != group || !strings.HasPrefix(line, "  "+group+" ") {
				continue
			}
			if want := "halley " + group + " " + words[1]; !strings.Contains(string(body), want) {
				t.Errorf("%s does not have %q", document, want)
			}
		}
	}
}

// blocks are the fenced blocks of shell commands.
func blocks(text string) (list []string) {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "\n```sh\n")
		if !found {
			return list
		}
		block, next, found := strings.Cut(after, "\n```\n")
		if !found {
			return list
		}
		list, rest = append(list, block+"\n"), "\n"+next
	}
}

// binary is the path of halley, which HALLEY_BIN names or which is built. Its
// directory has nothing else called halley.
func binary(t *testing.T, dir string) string {
	t.Helper()
	bin := os.Getenv("HALLEY_BIN")
	if bin == "" {
		bin = filepath.Join(dir, "bin", "halley")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/halley-chat/halley/cmd/halley")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return bin
}

// free is an address of this machine that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
