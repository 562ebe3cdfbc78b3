{
  description = "Runs and grades hands-on Kubernetes and etcd labs by what etcd itself witnessed";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      manifest = (nixpkgs.lib.importTOML ./Cargo.toml).workspace.package;
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "keywitness";
          inherit (manifest) version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [ "--bin" "keywitness" ];
          # They need etcd's ports, a terminal and a container engine: scripts/test runs them.
          doCheck = false;
          KEYWITNESS_COMMIT = self.shortRev or "unknown";
          nativeBuildInputs = [ pkgs.makeWrapper pkgs.installShellFiles ];
          postInstall = ''
            $out/bin/keywitness man man && installManPage man/*.1
            for shell in bash zsh fish; do
              $out/bin/keywitness completions $shell > keywitness.$shell
            done
            installShellCompletion keywitness.{bash,fish} --zsh --name _keywitness keywitness.zsh
            wrapProgram $out/bin/keywitness --suffix PATH : ${
              pkgs.lib.makeBinPath [ pkgs.bash pkgs.etcd pkgs.kubectl pkgs.kind ]
            }
          '';
          meta = {
            description = "Runs and grades hands-on Kubernetes and etcd labs by what etcd itself witnessed";
            homepage = manifest.repository;
            license = pkgs.lib.licenses.asl20;
            mainProgram = "keywitness";
          };
        };
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [ cargo rustc clippy rustfmt etcd kubectl kind tmux jq ];
        };
      });
    };
}
