//go:build unix

package check

import (
	"os/exec"
	"syscall"
)

// together has a command and all that it starts end together, if it has to.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
