// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of pipeline files
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePipeline } from '../../pipelines/parse.ts';
import { importJob } from '../../server/import/index.ts';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/import/${name}`, import.meta.url), 'utf8');

function imported(text: string) {
  const { yaml, notes } = importJob(text);
  const result = parsePipeline(yaml);
  if (!result.ok) throw new Error(`${JSON.stringify(result.errors)}\n${yaml}`);
  return { file: result.file, yaml, notes };
}

describe('a freestyle job', () => {
  const { file, yaml, notes } = imported(fixture('freestyle.config.xml'));

  test('its builders are steps', () => {
    expect(file.steps).toMatchObject({
      shell: { image: 'eclipse-temurin:11', secrets: ['API_TOKEN'] },
      maven: {
        image: 'maven:3.9-eclipse-temurin-11',
        run: ["mvn -B -f server/pom.xml clean verify -Dskip.docs=true '-Dnote=a b'"],
        env: { MAVEN_OPTS: '-Xmx1g' },
        cache: ['/root/.m2'],
        junit: ['**/surefire-reports/*.xml'],
        artifacts: ['server/target/*.war', '!**/*-sources.*'],
      },
      'shell-2': { run: ["echo '&amp; <done>' | tee done.txt"] },
    });
    expect(file.steps.shell?.run).toEqual([
      'export WORKSPACE="$SLIPWAY_WORKSPACE" GIT_REF="$JENKINS_GIT_REF"',
      'export api_token="$API_TOKEN"',
      `bash <<'SCRIPT'
[[ "$LEVEL" == full ]] && export DEEP=1
./prepare.sh --ref "$GIT_REF" --token $api_token --in $WORKSPACE
SCRIPT
`,
    ]);
  });

  test('triggers, parameters, environment, timeout and mail', () => {
    expect(file).toMatchObject({
      on: { poll: '*/10 * * * *' },
      env: { STAGE: 'ci' },
      timeout: 5_400_000,
      parameters: { LEVEL: { type: 'choice', options: ['quick', 'full'] }, jenkins_GIT_REF: { default: 'main' } },
      notify: { mail: { to: ['team@example.com'], on: ['failed', 'fixed'] } },
    });
    expect(file.on?.schedule?.cron).toMatch(/^\d+ 3 \* \* 1-5$/);
    expect(yaml).not.toContain('hunter2');
  });

  test('where the source has to be set is told at the top', () => {
    expect(yaml).toContain(
      '{"source":{"kind":"git","url":"https://git.example.com/shop.git","branches":["main","release"]}}',
    );
    expect(yaml).toContain('the id shop-reader');
  });

  test('the rest is noted with its line', () => {
    expect(notes.map(({ line, text }) => `${line} ${text.split(':')[0]}`)).toEqual([
      '15 the parameter api_token',
      '32 PathRestriction',
      '35 assignedNode',
      '36 disabled',
      '39 H 12 * * 6',
      '56 BatchFile',
      '62 BuildTrigger',
      '63 mail to $CULPRITS',
      '68 HOME_DIR=$HOME/x',
      '71 NX_KEY of the credentials nx',
    ]);
  });
});

test('a Maven job from SVN: its further location is a source of the file', () => {
  const { file, yaml } = imported(fixture('maven-svn.config.xml'));
  expect(yaml).toContain('{"source":{"kind":"svn","url":"https://svn.example.com/shop","branches":["trunk"]}}');
  expect(file.sources).toEqual({
    'conf-shared': { kind: 'svn', url: 'https://svn.example.com/conf', branch: 'branches/stable', path: 'conf/shared' },
  });
  expect(file.steps.maven).toMatchObject({
    run: ['mvn -B -f parent/pom.xml clean install'],
    env: { MAVEN_OPTS: '-Xmx2g' },
    junit: ['**/target/surefire-reports/*.xml', '**/target/failsafe-reports/*.xml'],
  });
});

test('a pipeline job: its script, counted in the lines of the XML', () => {
  const { file, yaml } = imported(fixture('flow.config.xml'));
  expect(file).toMatchObject({ on: { schedule: { cron: '15 4 * * *' } }, steps: { test: { image: 'golang:1' } } });
  expect(yaml).toContain("# from config.xml:11: git url: 'https://git.example.com/shop.git'");
});

test('a pipeline job with its script in a source says which file to import', () => {
  const { yaml, file } = imported(`<flow-definition><definition>
    <scm class="hudson.plugins.git.GitSCM"><userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url>https://x/y.git</url>
    </hudson.plugins.git.UserRemoteConfig></userRemoteConfigs></scm><scriptPath>ci/Jenkinsfile</scriptPath>
    </definition></flow-definition>`);
  expect(yaml).toContain('# Its steps are in ci/Jenkinsfile of that source');
  expect(Object.keys(file.steps)).toEqual(['todo']);
});

describe('XML that is not read', () => {
  test.each([
    [
      'a file of its own',
      '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><project>&x;</project>',
      /document type/,
    ],
    [
      'entities that grow',
      `<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "${'&a;'.repeat(99)}">]><project>&b;</project>`,
      /document type/,
    ],
    ['not well-formed', '<project><a></project>', /no XML: line 1/],
    ['too deep', `<project>${'<a>'.repeat(80)}${'</a>'.repeat(80)}</project>`, /deeper|cannot be read/],
    ['too long', `<project>${' '.repeat(300_000)}</project>`, /longer than 256 KiB/],
    ['another kind of job', '<hudson.matrix.MatrixProject/>', /MatrixProject cannot be imported/],
    [
      'a multibranch project',
      '<org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject/>',
      /import its Jenkinsfile/,
    ],
  ])('%s', (_name, xml, message) => {
    expect(() => importJob(xml)).toThrow(message);
  });

  test('entities of no XML are left as they are', () => {
    const { file } = imported(
      '<project><builders><hudson.tasks.Shell><command>echo "&x; &#65;&amp;amp;" | cat</command></hudson.tasks.Shell></builders></project>',
    );
    expect(file.steps.shell?.run).toEqual(['echo "&x; A&amp;" | cat']);
  });

  test('the names of members that every object has are names like any other', () => {
    expect(() => importJob('<toString/>')).toThrow(/cannot be imported/);
    expect(() => importJob('<constructor/>')).toThrow(/cannot be read/);
    const { file } = imported('<project><builders><toString/></builders></project>');
    expect(Object.keys(file.steps)).toEqual(['todo']);
  });
});
