package main

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// secretSize is how many bytes a secret has, and CARELINK_SECRET at least.
const secretSize = 32

// secretPath is where the secret of a database is kept: beside it, so that it
// goes where the database goes.
func secretPath(db string) string {
	return strings.TrimSuffix(db, filepath.Ext(db)) + ".secret"
}

// keptSecret returns the secret kept at path, and makes it the first time,
// readable by its owner only.
func keptSecret(path string) (secret []byte, made bool, err error) {
	secret = make([]byte, secretSize)
	rand.Read(secret)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		secret, err = readSecret(path)
		return secret, false, err
	}
	if err != nil {
		return nil, false, faultf("Le secret ne peut pas être gardé : %w. Donnez CARELINK_SECRET.", err)
	}
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(path) // half a secret would be refused for ever after
		return nil, false, faultf("Le secret ne peut pas être gardé : %w. Donnez CARELINK_SECRET.", err)
	}
	return secret, true, nil
}

// readSecret refuses what cannot be a secret that keptSecret made and nobody
// else has read.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, faultf("Le secret gardé ne peut pas être lu : %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, faultf("Le secret %s est lisible par d'autres. Supprimez-le : un nouveau sera fait au prochain démarrage.", path)
	}
	secret, err := io.ReadAll(io.LimitReader(f, secretSize+1))
	if err != nil {
		return nil, faultf("Le secret gardé ne peut pas être lu : %w", err)
	}
	if len(secret) != secretSize {
		return nil, faultf("Le secret %s n'a pas la bonne longueur. Supprimez-le : un nouveau sera fait au prochain démarrage.", path)
	}
	return secret, nil
}
