/* Written by make-world.py: what sangam_fetch imports. */
#define SANGAM__WORLD_FETCH \
    ".section \".custom_section.component-type:sangam-fetch\",\"\",@\n\t.ascii \"" \
    "\\000asm\\015\\000\\001\\000\\000\\031\\026wit-component-encoding\\004\\000\\007\\2561\\001A\\002\\001A\\025\\001" \
    "B\\012\\004\\000\\010pollable\\003\\001\\001h\\000\\001@\\001\\004self\\001\\000\\177\\004\\000\\026[method]pol" \
    "lable.ready\\001\\002\\001@\\001\\004self\\001\\001\\000\\004\\000\\026[method]pollable.block\\001\\003\\001p\\001" \
    "\\001py\\001@\\001\\002in\\004\\000\\005\\004\\000\\004poll\\001\\006\\003\\000\\023wasi:io/poll@0.2.12\\005\\000" \
    "\\002\\003\\000\\000\\010pollable\\001B\\017\\002\\003\\002\\001\\001\\004\\000\\010pollable\\003\\000\\000\\001" \
    "w\\004\\000\\007instant\\003\\000\\002\\001w\\004\\000\\010duration\\003\\000\\004\\001@\\000\\000\\003\\004\\000" \
    "\\003now\\001\\006\\001@\\000\\000\\005\\004\\000\\012resolution\\001\\007\\001i\\001\\001@\\001\\004when\\003\\000" \
    "\\010\\004\\000\\021subscribe-instant\\001\\011\\001@\\001\\004when\\005\\000\\010\\004\\000\\022subscribe-dura" \
    "tion\\001\\012\\003\\000\\042wasi:clocks/monotonic-clock@0.2.12\\005\\002\\001B\\004\\004\\000\\005error\\003\\001" \
    "\\001h\\000\\001@\\001\\004self\\001\\000s\\004\\000\\035[method]error.to-debug-string\\001\\002\\003\\000\\024" \
    "wasi:io/error@0.2.12\\005\\003\\002\\003\\000\\002\\005error\\001B\\050\\002\\003\\002\\001\\004\\004\\000\\005" \
    "error\\003\\000\\000\\002\\003\\002\\001\\001\\004\\000\\010pollable\\003\\000\\002\\001i\\001\\001q\\002\\025l" \
    "ast-operation-failed\\001\\004\\000\\006closed\\000\\000\\004\\000\\014stream-error\\003\\000\\005\\004\\000\\014" \
    "input-stream\\003\\001\\004\\000\\015output-stream\\003\\001\\001h\\007\\001p\\175\\001j\\001\\012\\001\\006\\001" \
    "@\\002\\004self\\011\\003lenw\\000\\013\\004\\000\\031[method]input-stream.read\\001\\014\\004\\000\\042[method" \
    "]input-stream.blocking-read\\001\\014\\001j\\001w\\001\\006\\001@\\002\\004self\\011\\003lenw\\000\\015\\004\\000" \
    "\\031[method]input-stream.skip\\001\\016\\004\\000\\042[method]input-stream.blocking-skip\\001\\016\\001i\\003\\001" \
    "@\\001\\004self\\011\\000\\017\\004\\000\\036[method]input-stream.subscribe\\001\\020\\001h\\010\\001@\\001\\004" \
    "self\\021\\000\\015\\004\\000\\041[method]output-stream.check-write\\001\\022\\001j\\000\\001\\006\\001@\\002\\004" \
    "self\\021\\010contents\\012\\000\\023\\004\\000\\033[method]output-stream.write\\001\\024\\004\\000.[method]out" \
    "put-stream.blocking-write-and-flush\\001\\024\\001@\\001\\004self\\021\\000\\023\\004\\000\\033[method]output-s" \
    "tream.flush\\001\\025\\004\\000\\044[method]output-stream.blocking-flush\\001\\025\\001@\\001\\004self\\021\\000" \
    "\\017\\004\\000\\037[method]output-stream.subscribe\\001\\026\\001@\\002\\004self\\021\\003lenw\\000\\023\\004\\000" \
    "\\042[method]output-stream.write-zeroes\\001\\027\\004\\0005[method]output-stream.blocking-write-zeroes-and-flu" \
    "sh\\001\\027\\001@\\003\\004self\\021\\003src\\011\\003lenw\\000\\015\\004\\000\\034[method]output-stream.splic" \
    "e\\001\\030\\004\\000\\045[method]output-stream.blocking-splice\\001\\030\\003\\000\\026wasi:io/streams@0.2.12\\005" \
    "\\005\\002\\003\\000\\001\\010duration\\002\\003\\000\\003\\014input-stream\\002\\003\\000\\003\\015output-stre" \
    "am\\001B\\301\\001\\002\\003\\002\\001\\006\\004\\000\\010duration\\003\\000\\000\\002\\003\\002\\001\\007\\004" \
    "\\000\\014input-stream\\003\\000\\002\\002\\003\\002\\001\\010\\004\\000\\015output-stream\\003\\000\\004\\002\\003" \
    "\\002\\001\\004\\004\\000\\010io-error\\003\\000\\006\\002\\003\\002\\001\\001\\004\\000\\010pollable\\003\\000" \
    "\\010\\001q\\012\\003get\\000\\000\\004head\\000\\000\\004post\\000\\000\\003put\\000\\000\\006delete\\000\\000" \
    "\\007connect\\000\\000\\007options\\000\\000\\005trace\\000\\000\\005patch\\000\\000\\005other\\001s\\000\\004\\000" \
    "\\006method\\003\\000\\012\\001q\\003\\004HTTP\\000\\000\\005HTTPS\\000\\000\\005other\\001s\\000\\004\\000\\006" \
    "scheme\\003\\000\\014\\001ks\\001k\\173\\001r\\002\\005rcode\\016\\011info-code\\017\\004\\000\\021DNS-error-pa" \
    "yload\\003\\000\\020\\001k\\175\\001r\\002\\010alert-id\\022\\015alert-message\\016\\004\\000\\032TLS-alert-rec" \
    "eived-payload\\003\\000\\023\\001ky\\001r\\002\\012field-name\\016\\012field-size\\025\\004\\000\\022field-size" \
    "-payload\\003\\000\\026\\001kw\\001k\\027\\001q\\047\\013DNS-timeout\\000\\000\\011DNS-error\\001\\021\\000\\025" \
    "destination-not-found\\000\\000\\027destination-unavailable\\000\\000\\031destination-IP-prohibited\\000\\000\\031" \
    "destination-IP-unroutable\\000\\000\\022connection-refused\\000\\000\\025connection-terminated\\000\\000\\022co" \
    "nnection-timeout\\000\\000\\027connection-read-timeout\\000\\000\\030connection-write-timeout\\000\\000\\030con" \
    "nection-limit-reached\\000\\000\\022TLS-protocol-error\\000\\000\\025TLS-certificate-error\\000\\000\\022TLS-al" \
    "ert-received\\001\\024\\000\\023HTTP-request-denied\\000\\000\\034HTTP-request-length-required\\000\\000\\026HT" \
    "TP-request-body-size\\001\\030\\000\\033HTTP-request-method-invalid\\000\\000\\030HTTP-request-URI-invalid\\000" \
    "\\000\\031HTTP-request-URI-too-long\\000\\000 HTTP-request-header-section-size\\001\\025\\000\\030HTTP-request-" \
    "header-size\\001\\031\\000\\041HTTP-request-trailer-section-size\\001\\025\\000\\031HTTP-request-trailer-size\\001" \
    "\\027\\000\\030HTTP-response-incomplete\\000\\000\\041HTTP-response-header-section-size\\001\\025\\000\\031HTTP" \
    "-response-header-size\\001\\027\\000\\027HTTP-response-body-size\\001\\030\\000\\042HTTP-response-trailer-secti" \
    "on-size\\001\\025\\000\\032HTTP-response-trailer-size\\001\\027\\000\\035HTTP-response-transfer-coding\\001\\016" \
    "\\000\\034HTTP-response-content-coding\\001\\016\\000\\025HTTP-response-timeout\\000\\000\\023HTTP-upgrade-fail" \
    "ed\\000\\000\\023HTTP-protocol-error\\000\\000\\015loop-detected\\000\\000\\023configuration-error\\000\\000\\016" \
    "internal-error\\001\\016\\000\\004\\000\\012error-code\\003\\000\\032\\001q\\003\\016invalid-syntax\\000\\000\\011" \
    "forbidden\\000\\000\\011immutable\\000\\000\\004\\000\\014header-error\\003\\000\\034\\001s\\004\\000\\011field" \
    "-key\\003\\000\\036\\004\\000\\012field-name\\003\\000\\037\\001p\\175\\004\\000\\013field-value\\003\\000\\041" \
    "\\004\\000\\006fields\\003\\001\\004\\000\\007headers\\003\\000\\043\\004\\000\\010trailers\\003\\000\\043\\004" \
    "\\000\\020incoming-request\\003\\001\\004\\000\\020outgoing-request\\003\\001\\004\\000\\017request-options\\003" \
    "\\001\\004\\000\\021response-outparam\\003\\001\\001\\173\\004\\000\\013status-code\\003\\000\\052\\004\\000\\021" \
    "incoming-response\\003\\001\\004\\000\\015incoming-body\\003\\001\\004\\000\\017future-trailers\\003\\001\\004\\000" \
    "\\021outgoing-response\\003\\001\\004\\000\\015outgoing-body\\003\\001\\004\\000\\030future-incoming-response\\003" \
    "\\001\\001i\\043\\001@\\000\\0002\\004\\000\\023[constructor]fields\\0013\\001o\\002 \\042\\001p4\\001j\\0012\\001" \
    "\\035\\001@\\001\\007entries5\\0006\\004\\000\\030[static]fields.from-list\\0017\\001h\\043\\001p\\042\\001@\\002" \
    "\\004self8\\004name \\0009\\004\\000\\022[method]fields.get\\001:\\001@\\002\\004self8\\004name \\000\\177\\004" \
    "\\000\\022[method]fields.has\\001\\073\\001j\\000\\001\\035\\001@\\003\\004self8\\004name \\005value9\\000\\074" \
    "\\004\\000\\022[method]fields.set\\001\\075\\001@\\002\\004self8\\004name \\000\\074\\004\\000\\025[method]fiel" \
    "ds.delete\\001\\076\\001@\\003\\004self8\\004name \\005value\\042\\000\\074\\004\\000\\025[method]fields.append" \
    "\\001\\077\\001@\\001\\004self8\\0005\\004\\000\\026[method]fields.entries\\001@\\001@\\001\\004self8\\0002\\004" \
    "\\000\\024[method]fields.clone\\001A\\001h\\046\\001@\\001\\004self\\302\\000\\000\\013\\004\\000\\037[method]i" \
    "ncoming-request.method\\001C\\001@\\001\\004self\\302\\000\\000\\016\\004\\000\\050[method]incoming-request.pat" \
    "h-with-query\\001D\\001k\\015\\001@\\001\\004self\\302\\000\\000\\305\\000\\004\\000\\037[method]incoming-reque" \
    "st.scheme\\001F\\004\\000\\042[method]incoming-request.authority\\001D\\001i\\044\\001@\\001\\004self\\302\\000" \
    "\\000\\307\\000\\004\\000 [method]incoming-request.headers\\001H\\001i-\\001j\\001\\311\\000\\000\\001@\\001\\004" \
    "self\\302\\000\\000\\312\\000\\004\\000 [method]incoming-request.consume\\001K\\001i\\047\\001@\\001\\007header" \
    "s\\307\\000\\000\\314\\000\\004\\000\\035[constructor]outgoing-request\\001M\\001h\\047\\001i0\\001j\\001\\317\\000" \
    "\\000\\001@\\001\\004self\\316\\000\\000\\320\\000\\004\\000\\035[method]outgoing-request.body\\001Q\\001@\\001" \
    "\\004self\\316\\000\\000\\013\\004\\000\\037[method]outgoing-request.method\\001R\\001j\\000\\000\\001@\\002\\004" \
    "self\\316\\000\\006method\\013\\000\\323\\000\\004\\000\\043[method]outgoing-request.set-method\\001T\\001@\\001" \
    "\\004self\\316\\000\\000\\016\\004\\000\\050[method]outgoing-request.path-with-query\\001U\\001@\\002\\004self\\316" \
    "\\000\\017path-with-query\\016\\000\\323\\000\\004\\000\\054[method]outgoing-request.set-path-with-query\\001V\\001" \
    "@\\001\\004self\\316\\000\\000\\305\\000\\004\\000\\037[method]outgoing-request.scheme\\001W\\001@\\002\\004sel" \
    "f\\316\\000\\006scheme\\305\\000\\000\\323\\000\\004\\000\\043[method]outgoing-request.set-scheme\\001X\\004\\000" \
    "\\042[method]outgoing-request.authority\\001U\\001@\\002\\004self\\316\\000\\011authority\\016\\000\\323\\000\\004" \
    "\\000\\046[method]outgoing-request.set-authority\\001Y\\001@\\001\\004self\\316\\000\\000\\307\\000\\004\\000 [" \
    "method]outgoing-request.headers\\001Z\\001i\\050\\001@\\000\\000\\333\\000\\004\\000\\034[constructor]request-o" \
    "ptions\\001\\134\\001h\\050\\001k\\001\\001@\\001\\004self\\335\\000\\000\\336\\000\\004\\000\\047[method]reque" \
    "st-options.connect-timeout\\001\\137\\001@\\002\\004self\\335\\000\\010duration\\336\\000\\000\\323\\000\\004\\000" \
    "\\053[method]request-options.set-connect-timeout\\001\\140\\004\\000\\052[method]request-options.first-byte-tim" \
    "eout\\001\\137\\004\\000.[method]request-options.set-first-byte-timeout\\001\\140\\004\\000-[method]request-opt" \
    "ions.between-bytes-timeout\\001\\137\\004\\0001[method]request-options.set-between-bytes-timeout\\001\\140\\001" \
    "i\\051\\001i/\\001j\\001\\342\\000\\001\\033\\001@\\002\\005param\\341\\000\\010response\\343\\000\\001\\000\\004" \
    "\\000\\035[static]response-outparam.set\\001d\\001h\\054\\001@\\001\\004self\\345\\000\\000\\053\\004\\000 [met" \
    "hod]incoming-response.status\\001f\\001@\\001\\004self\\345\\000\\000\\307\\000\\004\\000\\041[method]incoming-" \
    "response.headers\\001g\\001@\\001\\004self\\345\\000\\000\\312\\000\\004\\000\\041[method]incoming-response.con" \
    "sume\\001h\\001h-\\001i\\003\\001j\\001\\352\\000\\000\\001@\\001\\004self\\351\\000\\000\\353\\000\\004\\000\\034" \
    "[method]incoming-body.stream\\001l\\001i.\\001@\\001\\004this\\311\\000\\000\\355\\000\\004\\000\\034[static]in" \
    "coming-body.finish\\001n\\001h.\\001i\\011\\001@\\001\\004self\\357\\000\\000\\360\\000\\004\\000\\041[method]f" \
    "uture-trailers.subscribe\\001q\\001i\\045\\001k\\362\\000\\001j\\001\\363\\000\\001\\033\\001j\\001\\364\\000\\000" \
    "\\001k\\365\\000\\001@\\001\\004self\\357\\000\\000\\366\\000\\004\\000\\033[method]future-trailers.get\\001w\\001" \
    "@\\001\\007headers\\307\\000\\000\\342\\000\\004\\000\\036[constructor]outgoing-response\\001x\\001h/\\001@\\001" \
    "\\004self\\371\\000\\000\\053\\004\\000\\045[method]outgoing-response.status-code\\001z\\001@\\002\\004self\\371" \
    "\\000\\013status-code\\053\\000\\323\\000\\004\\000\\051[method]outgoing-response.set-status-code\\001\\173\\001" \
    "@\\001\\004self\\371\\000\\000\\307\\000\\004\\000\\041[method]outgoing-response.headers\\001\\174\\001@\\001\\004" \
    "self\\371\\000\\000\\320\\000\\004\\000\\036[method]outgoing-response.body\\001\\175\\001h0\\001i\\005\\001j\\001" \
    "\\377\\000\\000\\001@\\001\\004self\\376\\000\\000\\200\\001\\004\\000\\033[method]outgoing-body.write\\001\\201" \
    "\\001\\001j\\000\\001\\033\\001@\\002\\004this\\317\\000\\010trailers\\363\\000\\000\\202\\001\\004\\000\\034[s" \
    "tatic]outgoing-body.finish\\001\\203\\001\\001h1\\001@\\001\\004self\\204\\001\\000\\360\\000\\004\\000\\052[me" \
    "thod]future-incoming-response.subscribe\\001\\205\\001\\001i\\054\\001j\\001\\206\\001\\001\\033\\001j\\001\\207" \
    "\\001\\000\\001k\\210\\001\\001@\\001\\004self\\204\\001\\000\\211\\001\\004\\000\\044[method]future-incoming-r" \
    "esponse.get\\001\\212\\001\\001h\\007\\001k\\033\\001@\\001\\003err\\213\\001\\000\\214\\001\\004\\000\\017http" \
    "-error-code\\001\\215\\001\\003\\000\\026wasi:http/types@0.2.12\\005\\011\\002\\003\\000\\004\\020outgoing-requ" \
    "est\\002\\003\\000\\004\\017request-options\\002\\003\\000\\004\\030future-incoming-response\\002\\003\\000\\004" \
    "\\012error-code\\001B\\017\\002\\003\\002\\001\\012\\004\\000\\020outgoing-request\\003\\000\\000\\002\\003\\002" \
    "\\001\\013\\004\\000\\017request-options\\003\\000\\002\\002\\003\\002\\001\\014\\004\\000\\030future-incoming-" \
    "response\\003\\000\\004\\002\\003\\002\\001\\015\\004\\000\\012error-code\\003\\000\\006\\001i\\001\\001i\\003\\001" \
    "k\\011\\001i\\005\\001j\\001\\013\\001\\007\\001@\\002\\007request\\010\\007options\\012\\000\\014\\004\\000\\006" \
    "handle\\001\\015\\003\\000\\041wasi:http/outgoing-handler@0.2.12\\005\\016\\004\\000\\022sangam:fetch/fetch\\004" \
    "\\000\\013\\013\\001\\000\\005fetch\\003\\000\\000\\000D\\011producers\\001\\014processed-by\\002\\015wit-compo" \
    "nent\\0070.258.3\\015wit-bindgen-c\\0060.61.1" \
    "\"\n\t.text\n"
