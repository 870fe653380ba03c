/**
 * Hooks for repositories without a server of their own: `post-receive` for bare Git repositories, `post-commit` for SVN.
 *
 * A hook must neither delay nor fail a commit, so it sends from the background, for ten seconds at most, and what gets
 * lost is found by polling. It must not show its secret to `ps`: `openssl` takes the key of an HMAC as an argument only, so
 * the shell computes it from two plain SHA-256 (RFC 2104), and the key goes through built-ins and pipes alone.
 */
import { invalid } from '../../pipelines/errors.ts';

export interface HookScript {
  /** Its name in the `hooks` folder of the repository. */
  file: string;
  text: string;
}

export interface HookScriptOptions {
  /** Of the server, as the machine with the repository reaches it. */
  url: string;
  project: string;
  pipeline: string;
  kind: 'git' | 'svn';
  windows: boolean;
}

/** Throws `invalid`. */
export function hookScript({ url, project, pipeline, kind, windows }: HookScriptOptions): HookScript {
  const sender = kind === 'git' ? 'github' : 'svn';
  const target = hookUrl(url, sender, project, pipeline);
  if (kind === 'svn' && windows) return { file: 'post-commit.bat', text: windowsPostCommit(target) };
  if (windows) throw invalid('--windows is for --kind svn alone', 'windows');
  return kind === 'git'
    ? { file: 'post-receive', text: gitPostReceive(target) }
    : { file: 'post-commit', text: svnPostCommit(target) };
}

/** Fit for quotation marks: what could end a text is encoded by `URL`, but for `'`. */
function hookUrl(server: string, sender: string, project: string, pipeline: string): string {
  const base = URL.canParse(server) ? new URL(server) : null;
  if (base === null || !/^https?:$/.test(base.protocol) || base.search !== '' || base.hash !== '') {
    throw invalid(`${server}: expected something like https://ci.example.com`, 'url');
  }
  if (base.username !== '' || base.password !== '') throw invalid('the URL must not hold credentials', 'url');
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/hooks/${sender}/${[project, pipeline].map(encodeURIComponent).join('/')}`;
  return base.href.replaceAll("'", '%27');
}

// ---- sh ----------------------------------------------------------------------------------------------------------------

const head = (what: string, file: string, url: string): string => String.raw`#!/bin/sh
# Slipway: tells the server of ${what}. Save it as hooks/${file} of the repository, and let it be run:
#   chmod 755 ${file}
# Beside it, in slipway-secret, goes the hook secret of the pipeline. Only who runs the hook may read that file:
#   umask 077; cat >slipway-secret      (type the secret, Enter, Ctrl-D; as the user that runs the hook)
url='${url}'

# Subversion runs hooks without any environment.
PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
umask 077

give_up() { echo "slipway: $1, so the server was not told" >&2; exit 0; }

hooks=$(cd "$(dirname "$0")" && pwd) || exit 0
secret_file=$hooks/slipway-secret
[ -r "$secret_file" ] || give_up "cannot read $secret_file"
case $(ls -ld "$secret_file") in
  -??????---*) ;;
  *) give_up "$secret_file can be read by everybody (chmod 600 it)" ;;
esac
[ -n "$(tr -d '\r\n' <"$secret_file")" ] || give_up "$secret_file is empty"
command -v curl >/dev/null || give_up "there is no curl"
# Were it a program, the secret would be seen among its arguments.
case $(command -V printf 2>&1) in *builtin*) ;; *) give_up "printf is not built into this sh" ;; esac

if command -v sha256sum >/dev/null; then sha256() { sha256sum | cut -c 1-64; }
elif command -v openssl >/dev/null; then sha256() { openssl dgst -sha256 -r | cut -c 1-64; }
elif command -v shasum >/dev/null; then sha256() { shasum -a 256 | cut -c 1-64; }
else give_up "there is no sha256sum, openssl or shasum"
fi

# Writes the bytes that are given as numbers.
octets() {
  text=
  for octet; do text="$text\\0$(($octet / 64))$(($octet / 8 % 8))$(($octet % 8))"; done
  printf %b "$text"
}
numbers() { sed 's/../0x& /g'; }

# HMAC-SHA256 (RFC 2104) of the file $1, in hex.
hmac() {
  body=$1
  set -- $(tr -d '\r\n' <"$secret_file" | od -An -v -tu1)
  [ $# -le 64 ] || set -- $(tr -d '\r\n' <"$secret_file" | sha256 | numbers)
  while [ $# -lt 64 ]; do set -- "$@" 0; done
  inner= outer=
  for octet; do
    inner="$inner $(($octet ^ 0x36))"
    outer="$outer $(($octet ^ 0x5c))"
  done
  digest=$({ octets $inner; cat "$body"; } | sha256)
  { octets $outer; octets $(echo "$digest" | numbers); } | sha256
}

uuid() {
  od -An -v -N 16 -tx1 /dev/urandom | tr -d ' \n' |
    sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.*\)$/\1-\2-4\3-8\4-\5/'
}

# $1 as it stands between quotation marks in JSON.
json() { printf %s "$1" | tr -d '\000-\037\177' | sed 's/["\\]/\\&/g'; }

# Sends the file body; $1 and $2 name the headers for signature and delivery, $3 is one more.
send() {
  {
    echo "url = \"$url\""
    echo "header = \"$1: sha256=$(hmac body)\""
    echo "header = \"$2: $(uuid)\""
    echo 'header = "Content-Type: application/json"'
    [ -z "$3" ] || echo "header = \"$3\""
    echo 'data-binary = "@body"'
  } >request
  curl --silent --globoff --connect-timeout 5 --max-time 10 --output /dev/null --config request
}

# Runs tell in a folder that is gone afterwards. Whoever commits waits for what is still open: so nothing is.
in_background() {
  (
    trap '' HUP
    work=$(mktemp -d) || exit
    cd "$work" || exit
    tell
    cd / && rm -rf "$work"
  ) </dev/null >/dev/null 2>&1 &
}
`;

/** https://git-scm.com/docs/githooks#post-receive, told as GitHub tells it. */
const gitPostReceive = (url: string): string => String.raw`${head('each push', 'post-receive', url)}
updates=$(cat)
repository=$(json "$(pwd)")

# Where the server does not answer for one ref, it is not asked for the others.
tell() {
  printf '%s\n' "$updates" | while read -r before after ref; do
    case $ref in refs/heads/* | refs/tags/*) ;; *) continue ;; esac
    case $after in *[!0]*) deleted=false ;; *) deleted=true ;; esac
    printf '{"ref":"%s","before":"%s","after":"%s","deleted":%s,"repository":{"clone_url":"%s"}}' \
      "$(json "$ref")" "$before" "$after" "$deleted" "$repository" >body
    send X-Hub-Signature-256 X-GitHub-Delivery 'X-GitHub-Event: push' || break
  done
}
in_background
exit 0
`;

/** https://svnbook.red-bean.com/en/1.7/svn.ref.reposhooks.post-commit.html */
const svnPostCommit = (url: string): string => `${head('each commit', 'post-commit', url)}
case $2 in '' | *[!0-9]*) give_up "$2 is not a revision" ;; esac
repository=$(json "$1")
revision=$2

tell() {
  printf '{"repository":"%s","revision":%s}' "$repository" "$revision" >body
  send X-Slipway-Signature X-Slipway-Delivery ''
}
in_background
exit 0
`;

// ---- Windows -----------------------------------------------------------------------------------------------------------

/**
 * One file: what follows `#PowerShell` is run by a hidden PowerShell that inherits no handle, since Subversion waits until
 * all of them are closed. Values go through the environment, so that none is taken for code.
 */
const windowsPostCommit = (url: string): string =>
  String.raw`@echo off
rem Slipway: tells the server of each commit. Save it as hooks\post-commit.bat of the repository.
rem Beside it, in slipway-secret, goes the hook secret of the pipeline. Only who runs the hook may read that file:
rem   icacls slipway-secret /inheritance:r /grant:r "NETWORK SERVICE:R"      (or whom the service runs as)
setlocal DisableDelayedExpansion
if not defined SystemRoot set "SystemRoot=C:\Windows"
set "SLIPWAY_HOOK=%~f0"
set "SLIPWAY_REPOSITORY=%~1"
set "SLIPWAY_REVISION=%~2"
set "SLIPWAY_RUN=$text = [IO.File]::ReadAllText($env:SLIPWAY_HOOK); & ([scriptblock]::Create($text.Substring($text.IndexOf('#' + 'PowerShell'))))"
"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive -Command "Start-Process -FilePath (Join-Path $PSHOME 'powershell.exe') -WindowStyle Hidden -ArgumentList '-NoProfile -NonInteractive -Command Invoke-Expression $env:SLIPWAY_RUN'" <nul >nul 2>nul
exit /b 0

#PowerShell
$ErrorActionPreference = 'Stop'
if ($env:SLIPWAY_REVISION -notmatch '^[0-9]+$') { exit }
$file = Join-Path (Split-Path -Parent $env:SLIPWAY_HOOK) 'slipway-secret'
$secret = [IO.File]::ReadAllText($file).Trim([char[]](13, 10))
if ($secret -eq '') { exit }
$commit = @{ repository = $env:SLIPWAY_REPOSITORY; revision = [long]$env:SLIPWAY_REVISION }
$body = [Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -Compress $commit))
$hmac = New-Object Security.Cryptography.HMACSHA256 -ArgumentList (, [Text.Encoding]::UTF8.GetBytes($secret))
$signature = [BitConverter]::ToString($hmac.ComputeHash($body)).Replace('-', '').ToLowerInvariant()
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
$request = [Net.WebRequest]::Create('${url}')
$request.Method = 'POST'
$request.Timeout = 10000
$request.ReadWriteTimeout = 10000
$request.ContentType = 'application/json'
$request.Headers.Add('X-Slipway-Signature', 'sha256=' + $signature)
$request.Headers.Add('X-Slipway-Delivery', [guid]::NewGuid().ToString())
$stream = $request.GetRequestStream()
$stream.Write($body, 0, $body.Length)
$stream.Close()
$request.GetResponse().Close()
`.replaceAll('\n', '\r\n');
