/** Why the best-known steps of Jenkins have no counterpart, and what is there instead. */

/** What Slipway does anyway: these and their blocks need no word. */
export const SILENT = new Set('timestamps ansiColor script wrap node stage.noop ansicolor'.split(' '));

const CLEAN = 'every build starts from a clean checkout';
const SHARED = 'the steps of a build share one workspace, so nothing has to be passed on';
const CHAT = 'a webhook of the project can tell a chat';
const REPORT = 'keep the report as an artifact';

export const WHY: Record<string, string> = {
  deleteDir: CLEAN,
  cleanWs: CLEAN,
  stash: SHARED,
  unstash: SHARED,
  git: 'the source is set on the pipeline; further ones are "sources" of this file',
  svn: 'the source is set on the pipeline; further ones are "sources" of this file',
  build: 'a pipeline does not start another one: give that one the same source, or make it steps of this file',
  slackSend: CHAT,
  office365ConnectorSend: CHAT,
  hipchatSend: CHAT,
  telegramSend: CHAT,
  publishHTML: REPORT,
  jacoco: REPORT,
  cobertura: REPORT,
  recordIssues: REPORT,
  publishCoverage: REPORT,
  recordCoverage: REPORT,
  allure: REPORT,
  lock: 'there are no locks in a pipeline file; deployments to an environment wait for each other by themselves',
  milestone: '"supersede: true" cancels queued builds that a newer one makes superfluous',
  sshagent: 'give the step a secret with the key, and start ssh-agent in a command',
  withSonarQubeEnv: 'give the step SONAR_HOST_URL as "env" and SONAR_TOKEN as a secret',
  waitForQualityGate: 'let the scanner wait: -Dsonar.qualitygate.wait=true',
  withAWS: 'give the step AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as secrets',
  withKubeConfig: 'give the step a secret with the kubeconfig',
  writeFile: 'write the file with cat or printf in a command',
  readFile: 'read the file in a command',
  library: 'shared libraries are not run: write what they do as commands',
  properties: 'settings of a job are keys of this file',
  withChecks: 'the state of a build is on its page, and in webhooks',
  publishChecks: 'the state of a build is on its page, and in webhooks',
  githubNotify: 'the state of a build is on its page, and in webhooks',
  setGitHubPullRequestStatus: 'the state of a build is on its page, and in webhooks',
  configFileProvider: 'keep the file in the repository, or give the step a secret and write it to a file',
  fingerprint: 'artifacts are kept by their content already',
  tool: 'tools come with the image of the step',
  load: 'Groovy is not run: write what it does as commands',
  parallel: 'only steps can run side by side: see "needs"',
};
