// Command statuspage writes the template of the documentation page Statuses to
// standard output. It comes from the tables that the engine obeys, so that the
// page cannot say anything else.
package main

import (
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	if _, err := os.Stdout.WriteString(page()); err != nil {
		log.Fatalln("statuspage:", err)
	}
}
