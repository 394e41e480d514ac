package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
)

// pki is the cluster's certificate authority and the files it issued.
type pki struct {
	dir string
	key crypto.Signer
	ca  *x509.Certificate

	token string // the administrator's
}

// openPKI issues the cluster's certificates and keys into a directory. Where
// there is an authority and a key for service accounts already, they are kept:
// what was given away before a restart (kubeconfigs, tokens) stays good.
func openPKI(dir string, addresses []net.IP) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir}
	if err := p.keepOrIssue(p.loadCA, p.issueCA); err != nil {
		return nil, err
	}
	server := template(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth)
	server.IPAddresses = addresses
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	masters := []string{"system:masters"}
	for file, cert := range map[string]*x509.Certificate{
		"apiserver":      server,
		"admin":          template(pkix.Name{CommonName: "admin", Organization: masters}, x509.ExtKeyUsageClientAuth),
		"kubelet-client": template(pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: masters}, x509.ExtKeyUsageClientAuth),
	} {
		if err := p.issue(file, cert); err != nil {
			return nil, err
		}
	}
	if err := p.keepOrIssue(p.loadToken, p.issueToken); err != nil {
		return nil, err
	}
	return p, p.keepOrIssue(p.checkServiceAccountKey, p.issueServiceAccountKey)
}

// tokens is the file of the administrator's token. An API server checks the
// signature of a client's certificate at every request, and that of a token that
// it has in a file never: the components ask with it, and so may tests.
const tokens = "tokens.csv"

func (p *pki) loadToken() error {
	content, err := os.ReadFile(p.file(tokens))
	p.token, _, _ = strings.Cut(string(content), ",")
	return err
}

func (p *pki) issueToken() error {
	p.token = rand.Text()
	return os.WriteFile(p.file(tokens), []byte(p.token+",admin,admin,system:masters\n"), 0o600)
}

// keepOrIssue issues what has never been issued. A private key is written last:
// without it, nobody has got anything that depends on it.
func (p *pki) keepOrIssue(keep, issue func() error) error {
	err := keep()
	if errors.Is(err, fs.ErrNotExist) {
		return issue()
	}
	return err
}

// file is the path of one of the issued files.
func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) loadCA() error {
	pair, err := tls.LoadX509KeyPair(p.file("ca.crt"), p.file("ca.key"))
	if err != nil {
		return err
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("%s: a %T cannot sign", p.file("ca.key"), pair.PrivateKey)
	}
	p.key, p.ca = signer, pair.Leaf
	return nil
}

func (p *pki) issueCA() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := template(pkix.Name{CommonName: "devcluster"})
	cert.IsCA = true
	cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	p.key, p.ca = key, cert
	return p.issue("ca", cert)
}

// issue signs a certificate and writes it with its key. The authority signs
// its own.
func (p *pki) issue(file string, cert *x509.Certificate) error {
	key := p.key
	if cert != p.ca {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, p.ca, key.Public(), p.key)
	if err != nil {
		return err
	}
	if err := p.write(file+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	return p.writeKey(file+".key", key)
}

func (p *pki) checkServiceAccountKey() error {
	_, err := os.Stat(p.file("service-accounts.key"))
	return err
}

// issueServiceAccountKey makes the pair that signs and checks the tokens of
// service accounts.
func (p *pki) issueServiceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := p.write("service-accounts.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return p.writeKey("service-accounts.key", key)
}

func (p *pki) write(file, kind string, der []byte) error {
	return os.WriteFile(p.file(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func (p *pki) writeKey(file string, key crypto.Signer) error {
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(p.file(file), encoded, 0o600)
}

// tokenContext is the context of the administrator's kubeconfig with the token.
const tokenContext = "token"

// writeKubeconfigs makes the administrator's kubeconfig, whose current context is
// the one with the certificate, and that of the components. Everything is inside,
// so that the files can be copied. Whoever reads one during a restart gets the old
// one or the new one, and both are good.
func (p *pki) writeKubeconfigs(path, components, server string) error {
	const name = "devcluster"
	cluster := &clientcmdapi.Cluster{Server: server}
	user := &clientcmdapi.AuthInfo{}
	for file, into := range map[string]*[]byte{
		"ca.crt":    &cluster.CertificateAuthorityData,
		"admin.crt": &user.ClientCertificateData,
		"admin.key": &user.ClientKeyData,
	} {
		content, err := os.ReadFile(p.file(file))
		if err != nil {
			return err
		}
		*into = content
	}
	config := clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{name: cluster},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: user, tokenContext: {Token: p.token}},
		Contexts: map[string]*clientcmdapi.Context{
			name:         {Cluster: name, AuthInfo: name},
			tokenContext: {Cluster: name, AuthInfo: tokenContext},
		},
		CurrentContext: tokenContext,
	}
	if err := writeKubeconfig(components, config); err != nil {
		return err
	}
	config.CurrentContext = name
	return writeKubeconfig(path, config)
}

func writeKubeconfig(path string, config clientcmdapi.Config) error {
	if err := clientcmd.WriteToFile(config, path+".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func template(subject pkix.Name, usage ...x509.ExtKeyUsage) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		panic(err) // the system's randomness is gone
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             time.Now().Add(-time.Hour), // clocks differ
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usage,
		BasicConstraintsValid: true,
	}
}
