// SPDX-License-Identifier: MIT
// SignerWatch DIRECTORY MARKS: what X-Road's signer would have seen in its directory, one JSON line an event.
//
// It watches as the signer of a secondary does: a WatchService on the directory, kinds CREATE and MODIFY, only the name
// keyconf.xml counts, no debounce. At each event it does what the signer's refresh does: read keyconf.xml, take its
// MD5, parse it, open the PKCS#12 file of every soft-token key that it names and of the PIN, with the PIN.
//
//   {"event":"ENTRY_CREATE","count":1,"conf":"<md5>|missing|unreadable|torn","files":{"<name>":"<md5>|missing|unreadable|closed"}}
//   {"invalid":true}    the watch is over: the directory was removed or replaced
//   {"mark":"NAME"}     a file NAME was made in MARKS, and everything that happened before it has been reported
//   {"pin":true}        the answer to a line "pin PIN" on stdin: the PIN that opens the files from now on
//
// Marks come through the same inotify queue as the events, which the kernel keeps in order: no waiting, no guessing.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

public final class SignerWatch {
    private static final String CONF = "keyconf.xml";
    private static final String PIN_STORE = ".softtoken.p12";

    private final Path directory;
    private final WatchService service;
    private final WatchKey marks;
    private volatile char[] pin = new char[0];

    private SignerWatch(Path directory, Path marks) throws IOException {
        this.directory = directory;
        service = FileSystems.getDefault().newWatchService();
        directory.register(service, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_MODIFY);
        this.marks = marks.register(service, StandardWatchEventKinds.ENTRY_CREATE);
    }

    public static void main(String[] arguments) throws Exception {
        SignerWatch watch = new SignerWatch(Path.of(arguments[0]), Path.of(arguments[1]));
        Thread reader = new Thread(watch::readPins);
        reader.setDaemon(true);
        reader.start();
        say("{\"ready\":true}");
        watch.run();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    // The end of stdin ends the program, so that nothing is left when the test dies.
    private void readPins() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                pin = line.substring("pin ".length()).toCharArray();
                say("{\"pin\":true}");
            }
        } catch (IOException gone) {
            // as at the end
        }
        System.exit(0);
    }

    // When a mark is read, all earlier events are with their keys, but the signer's key may stand behind the mark's in
    // the queue (it was at work when they came). So the queue is emptied before the mark is told.
    private void run() throws Exception {
        List<String> reached = new ArrayList<>();
        for (;;) {
            WatchKey key = reached.isEmpty() ? service.take() : service.poll();
            if (key == null) {
                reached.forEach(name -> say("{\"mark\":\"" + name + "\"}"));
                reached.clear();
                continue;
            }
            for (WatchEvent<?> event : key.pollEvents()) {
                if (event.kind() == StandardWatchEventKinds.OVERFLOW) {
                    say("{\"overflow\":true}");
                } else if (key == marks) {
                    reached.add(event.context().toString());
                } else if (event.context().toString().equals(CONF)) {
                    report(event);
                }
            }
            if (!key.reset()) {
                say("{\"invalid\":true}");
            }
        }
    }

    private void report(WatchEvent<?> event) throws Exception {
        StringBuilder files = new StringBuilder();
        String conf;
        try {
            byte[] content = Files.readAllBytes(directory.resolve(CONF));
            conf = md5(content);
            for (String name : namedFiles(content)) {
                files.append(files.isEmpty() ? "" : ",").append('"').append(name).append("\":\"").append(open(name)).append('"');
            }
        } catch (NoSuchFileException gone) {
            conf = "missing";
        } catch (IOException refused) {
            conf = "unreadable";
        } catch (org.xml.sax.SAXException broken) {
            conf = "torn";
        }
        say("{\"event\":\"" + event.kind().name() + "\",\"count\":" + event.count() + ",\"conf\":\"" + conf
                + "\",\"files\":{" + files + "}}");
    }

    private static List<String> namedFiles(byte[] content) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        var builder = factory.newDocumentBuilder();
        builder.setErrorHandler(null);
        NodeList ids = builder.parse(new ByteArrayInputStream(content)).getElementsByTagName("keyId");
        List<String> names = new ArrayList<>(List.of(PIN_STORE));
        for (int at = 0; at < ids.getLength(); at++) {
            names.add(((Element) ids.item(at)).getTextContent() + ".p12");
        }
        return names;
    }

    // The MD5 of the very bytes that opened.
    private String open(String name) throws Exception {
        try {
            byte[] content = Files.readAllBytes(directory.resolve("softtoken").resolve(name));
            try {
                KeyStore store = KeyStore.getInstance("PKCS12");
                store.load(new ByteArrayInputStream(content), pin);
                String alias = store.aliases().nextElement();
                return store.getKey(alias, pin) == null ? "closed" : md5(content);
            } catch (IOException | GeneralSecurityException closed) {
                return "closed";
            }
        } catch (NoSuchFileException gone) {
            return "missing";
        } catch (IOException refused) {
            return "unreadable";
        }
    }

    private static String md5(byte[] content) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(content));
    }
}
