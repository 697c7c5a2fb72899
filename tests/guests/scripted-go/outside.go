package main

import (
	"net"
	"os"
	"os/exec"
	"syscall"
)

// outside is whatever of the machine can be reached past the contract.
func outside() map[string]any {
	environment := append([]string{}, os.Environ()...)
	arguments := append([]string{}, os.Args...)
	_, file := os.ReadFile("/etc/passwd")
	_, root := os.ReadDir("/")
	_, here := os.ReadDir(".")
	written := os.WriteFile("sangam-was-here", []byte("x"), 0o600)
	_, dialled := net.Dial("tcp", "127.0.0.1:22")
	// net.Listen succeeds: on this target Go keeps a network within the process, which leads nowhere. Below it is the machine's.
	_, listening := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	_, datagram := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	_, name := net.LookupHost("localhost.localdomain")
	process := exec.Command("/bin/true").Run()
	return map[string]any{
		"environment": environment,
		"arguments":   arguments,
		"file":        file == nil,
		"folder":      root == nil || here == nil,
		"written":     written == nil,
		"socket":      dialled == nil || listening == nil,
		"datagram":    datagram == nil,
		"name":        name == nil,
		"process":     process == nil,
	}
}
