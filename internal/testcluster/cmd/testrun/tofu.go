package main

import "strings"

// tofuPackage has the tests that run a CLI for what the provider says.
const tofuPackage = "./internal/provider/..."

// differ are the tests of what the two CLIs do by themselves, each in its own
// way: the language, the order of a graph, signals, what they keep of a state,
// and the parts of the protocol that only one of them knows. The others test
// what the provider answers, whoever asks; with an OpenTofu, they run before a
// release.
var differ = []string{
	// Language and graph.
	"TestAccFunctions", "TestAccExamples", "TestAccExampleEnvironments", "TestAccEnvironment", "TestAccDataSources",
	"TestAccConnectionThatIsNotKnownYet", "TestAccForEachOverVersions", "TestAccRemovedFromConfigurationWhileMainPointsAtIt",
	// Replacement, deposed and tainted objects, moves.
	"TestAccVersionBump", "TestAccGoingBack", "TestAccReplaceTouchesNothing", "TestAccTaintedDeploymentKeepsItsTraffic",
	"TestAccChainOfDeposedReleases", "TestAccDestroyOfTheDeploymentTakesMainAlong", "TestAccMovedApplication",
	"TestAccFailedReleaseLeavesTheOldOne", "TestAccForgottenStateIsAdopted",
	// Signals.
	"TestAccInterruptedCreateIsResumed", "TestAccGroupIsInterrupted",
	// The protocol.
	"TestAccImport", "TestAccImportByIdentity", "TestAccQuery", "TestAccExamplesOfQueries", "TestAccActions",
	"TestAccSecretsStayWhereTheyAre", "TestAccLog", "TestAccWhatIsLeftThroughCLI",
}

// tofuPattern is for go test's -run.
func tofuPattern() string { return "^(" + strings.Join(differ, "|") + ")$" }
