// A verifier of our logs that does not use a line of our code: signatures, tiles, inclusion and consistency are checked by
// golang.org/x/mod (sumdb/note, sumdb/tlog), the Go checksum database's own library. What is ours here only reads files, and gives note.Open the
// witnesses' cosignatures (type 4), which that library does not know, as one more kind of note.Verifier over Go's own Ed25519.
//
//	verify DIR   (as write_log.c leaves it)
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "verify: "+format+"\n", args...)
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

// Tiles as C2SP tlog-tiles names them: without the height that x/mod puts into the path.
type tileFiles struct{ dir string }

func (t tileFiles) Height() int { return 8 }

func (t tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		b, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil && tile.W < 256 { // a partial tile may have become a full one
			tile.W = 256
			full := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
			b, err = os.ReadFile(filepath.Join(t.dir, full))
		}
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

func (t tileFiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func entry(dir string, index, size int64) []byte {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
	if left := size - tile.N*256; left < 256 {
		tile.W = int(left)
	}
	path := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
	b, err := os.ReadFile(filepath.Join(dir, path))
	must(err, "entries")
	for i := int64(0); ; i++ {
		n := int(binary.BigEndian.Uint16(b))
		if i == index%256 {
			return b[2 : 2+n]
		}
		b = b[2+n:]
	}
}

// A witness's key, C2SP tlog-cosignature.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 {
		fail("%q is no verifier key", vkey)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err, "witness's key")
	hash := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	c := cosigner{parts[0], binary.BigEndian.Uint32(hash[:4]), key[1:]}
	if len(key) != 33 || key[0] != 4 || fmt.Sprintf("%08x", c.id) != parts[1] {
		fail("%q is no witness's verifier key", vkey)
	}
	return c
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.id }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	return time <= math.MaxInt64 && ed25519.Verify(c.key, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)), sig[8:])
}

var witnesses []note.Verifier
var cosigned int

// Every checkpoint bears the log's signature and those of all witnesses.
func openCheckpoint(msg []byte, verifier note.Verifier) tlog.Tree {
	n, err := note.Open(msg, note.VerifierList(append(witnesses, verifier)...))
	must(err, "checkpoint's signature")
	if len(n.Sigs) != 1+len(witnesses) || len(n.UnverifiedSigs) != 0 {
		fail("%d signatures of the checkpoint hold and %d are unknown; %d were wanted", len(n.Sigs), len(n.UnverifiedSigs), 1+len(witnesses))
	}
	cosigned += len(witnesses)
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("checkpoint's text is %q", n.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "checkpoint's size")
	hash, err := tlog.ParseHash(lines[2])
	must(err, "checkpoint's root")
	return tlog.Tree{N: size, Hash: hash}
}

// A C2SP tlog-proof, checked with tlog.CheckRecord.
func checkProofFile(path string, log string, size int64, verifier note.Verifier) {
	text, err := os.ReadFile(path)
	must(err, path)
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		fail("%s is no tlog-proof", path)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err, path)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		b, err := base64.StdEncoding.DecodeString(line)
		must(err, path)
		var hash tlog.Hash
		copy(hash[:], b)
		proof = append(proof, hash)
	}
	tree := openCheckpoint([]byte(checkpoint), verifier)
	leaf := tlog.RecordHash(entry(log, index, size))
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf), path)
	if tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash([]byte("another"))) == nil {
		fail("%s proves another entry", path)
	}
}

func main() {
	if len(os.Args) != 2 {
		fail("usage: verify DIR")
	}
	dir := os.Args[1]
	log := filepath.Join(dir, "ledger", "log")
	vkey, err := os.ReadFile(filepath.Join(dir, "vkey"))
	must(err, "vkey")
	verifier, err := note.NewVerifier(string(vkey))
	must(err, "vkey")
	lines, err := os.ReadFile(filepath.Join(dir, "witnesses"))
	must(err, "witnesses")
	for _, line := range strings.Fields(string(lines)) {
		witnesses = append(witnesses, newCosigner(line))
	}
	if len(witnesses) != 5 {
		fail("%d witnesses", len(witnesses))
	}
	msg, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	must(err, "checkpoint")
	tree := openCheckpoint(msg, verifier)
	changed := bytes.Replace(msg, []byte("\n"+strconv.FormatInt(tree.N, 10)+"\n"), []byte("\n1\n"), 1)
	if _, err := note.Open(changed, note.VerifierList(verifier)); err == nil {
		fail("a changed checkpoint is accepted")
	}
	at := bytes.LastIndex(msg, []byte(" ")) + 30 // a cosignature whose bytes were changed spoils the note, as one of a known key
	spoilt := append([]byte(nil), msg...)
	if spoilt[at] == 'A' {
		spoilt[at] = 'B'
	} else {
		spoilt[at] = 'A'
	}
	if n, err := note.Open(spoilt, note.VerifierList(append(witnesses, verifier)...)); err == nil && len(n.Sigs) == 6 {
		fail("a changed cosignature is accepted")
	}
	reader := tlog.TileHashReader(tree, tileFiles{log})
	root, err := tlog.TreeHash(tree.N, reader)
	must(err, "root")
	if root != tree.Hash {
		fail("the tiles' root is %v, the checkpoint's %v", root, tree.Hash)
	}

	random := rand.New(rand.NewSource(20261122))
	included, refused := 0, 0
	for i := 0; i < 1000; i++ {
		index := random.Int63n(tree.N)
		leaf := entry(log, index, tree.N)
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		must(err, "proof")
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)), "inclusion")
		included++
		tampered := append([]byte(nil), leaf...)
		tampered[random.Intn(len(tampered))] ^= byte(1 + random.Intn(255))
		if tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(tampered)) == nil {
			fail("a tampered entry %d is accepted", index)
		}
		refused++
	}

	files, err := os.ReadDir(filepath.Join(dir, "checkpoints"))
	must(err, "checkpoints")
	var trees []tlog.Tree
	for _, file := range files {
		msg, err := os.ReadFile(filepath.Join(dir, "checkpoints", file.Name()))
		must(err, file.Name())
		trees = append(trees, openCheckpoint(msg, verifier))
	}
	consistent := 0
	for _, old := range trees {
		for _, new := range trees {
			if old.N >= new.N {
				continue
			}
			proof, err := tlog.ProveTree(new.N, old.N, reader)
			must(err, "consistency proof")
			must(tlog.CheckTree(proof, new.N, new.Hash, old.N, old.Hash), "consistency")
			other := old.Hash
			other[random.Intn(len(other))] ^= 1
			if tlog.CheckTree(proof, new.N, new.Hash, old.N, other) == nil {
				fail("another beginning of %d leaves is accepted", old.N)
			}
			consistent++
		}
	}

	proofs, err := filepath.Glob(filepath.Join(dir, "proofs", "*"))
	must(err, "proofs")
	for _, path := range proofs {
		checkProofFile(path, log, tree.N, verifier)
	}
	if len(trees) < 5 || len(proofs) < 90 {
		fail("too little to check: %d checkpoints, %d proofs", len(trees), len(proofs))
	}
	fmt.Printf("%d leaves, %d inclusions, %d tampered entries refused, %d consistencies, %d tlog-proofs, %d cosignatures\n",
		tree.N, included, refused, consistent, len(proofs), cosigned)
}
