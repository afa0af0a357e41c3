// nri-plugin is what the end-to-end tests use as a plugin: the upstream stub, and handlers that write one line for each
// thing they hear of and change every new container a little.
//
// Where the lines go is its configuration if it is started by a runtime, else the environment variable EVENTS.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

const removedByPlugin = "nri.test/removed"

type plugin struct {
	path string
}

func main() {
	p := &plugin{path: os.Getenv("EVENTS")}
	var options []stub.Option
	if path := os.Getenv("NRI_SOCKET"); path != "" {
		options = append(options, stub.WithSocketPath(path))
	}
	s, err := stub.New(p, options...)
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *plugin) note(format string, args ...any) {
	file, err := os.OpenFile(p.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer file.Close()
	fmt.Fprintf(file, format+"\n", args...)
}

func (p *plugin) Configure(_ context.Context, config, runtime, _ string) (stub.EventMask, error) {
	if config != "" {
		p.path = config
	}
	p.note("configured by %s", runtime)
	return 0, nil
}

func (p *plugin) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	p.note("synchronize %d pods %d containers", len(pods), len(containers))
	for _, container := range containers {
		p.note("found %s %s args %v", container.GetName(), container.GetState(), container.GetArgs())
	}
	return nil, nil
}

func (p *plugin) Shutdown(context.Context) {
	p.note("shutdown")
}

func (p *plugin) RunPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	for _, namespace := range pod.GetLinux().GetNamespaces() {
		if namespace.GetType() == "network" {
			if _, err := os.Stat(namespace.GetPath()); err != nil {
				return err
			}
		}
	}
	p.note("run pod %s %v", pod.GetName(), len(pod.GetIps()))
	return nil
}

func (p *plugin) StopPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	p.note("stop pod %s", pod.GetName())
	return nil
}

func (p *plugin) RemovePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	p.note("remove pod %s", pod.GetName())
	return nil
}

func (p *plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	p.note("create %s in %s", container.GetName(), pod.GetName())
	adjust := &api.ContainerAdjustment{}
	adjust.AddEnv("FROM_PLUGIN", "yes")
	adjust.AddAnnotation("nri.test/added", "yes")
	adjust.RemoveAnnotation(removedByPlugin)
	adjust.AddMount(&api.Mount{Destination: "/from-plugin", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=64k"}})
	adjust.AddRlimit("RLIMIT_CORE", 4096, 1024)
	adjust.SetLinuxMemoryLimit(64 << 20)
	adjust.SetLinuxPidLimits(99)
	return adjust, nil, nil
}

func (p *plugin) PostCreateContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) error {
	p.note("created %s", container.GetName())
	return nil
}

func (p *plugin) StartContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) error {
	p.note("start %s", container.GetName())
	return nil
}

func (p *plugin) PostStartContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) error {
	p.note("started %s running %v", container.GetName(), container.GetPid() > 0)
	return nil
}

func (p *plugin) UpdateContainer(_ context.Context, _ *api.PodSandbox, container *api.Container, resources *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	p.note("update %s shares %d", container.GetName(), resources.GetCpu().GetShares().GetValue())
	update := &api.ContainerUpdate{ContainerId: container.GetId()}
	update.SetLinuxCPUShares(resources.GetCpu().GetShares().GetValue() * 2)
	return []*api.ContainerUpdate{update}, nil
}

func (p *plugin) PostUpdateContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) error {
	p.note("updated %s", container.GetName())
	return nil
}

func (p *plugin) StopContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) ([]*api.ContainerUpdate, error) {
	p.note("stop %s exit code %d", container.GetName(), container.GetExitCode())
	return nil, nil
}

func (p *plugin) RemoveContainer(_ context.Context, _ *api.PodSandbox, container *api.Container) error {
	p.note("remove %s", container.GetName())
	return nil
}
