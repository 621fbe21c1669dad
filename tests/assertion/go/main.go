package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/MicahParks/keyfunc/v3"
)

func main() {
	keys, err := keyfunc.NewDefault([]string{Issuer + "/auth/jwks.json"})
	if err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if claims, err := Person(keys, lines.Text()); err != nil {
			out.Encode(map[string]string{"refused": err.Error()})
		} else {
			out.Encode(map[string]string{"sub": claims.Subject})
		}
	}
}
